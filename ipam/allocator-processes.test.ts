// Nodes as real processes: racing for blocks, killed while they assign, and with a full disk.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { waitFor } from '../lib/wait-for.ts';
import { ipamWorld, ipPool } from '../test/support/ipam-world.ts';

const CHILD = fileURLToPath(new URL('../test/support/ipam-child.ts', import.meta.url));
const DEADLINE_MS = 60_000;

function startNode(
  t: TestContext,
  args: readonly string[],
  { prefix = [], stdout = 'pipe' }: { readonly prefix?: readonly string[]; readonly stdout?: 'pipe' | number } = {},
): ChildProcess {
  const [command = '', ...rest] = [...prefix, process.execPath, CHILD, ...args];
  const child = spawn(command, rest, {
    stdio: ['pipe', stdout, 'inherit'],
    timeout: DEADLINE_MS,
    killSignal: 'SIGKILL',
  });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

function linesOf(child: ChildProcess): AsyncIterator<string> {
  assert.ok(child.stdout);
  return createInterface({ input: child.stdout })[Symbol.asyncIterator]();
}

async function readLine(lines: AsyncIterator<string>): Promise<string> {
  const { value, done } = await lines.next();
  if (done === true) throw new Error('Cannot read a line: the process ended');
  return value;
}

test('eight nodes that claim at once never get one block twice', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/22', { blockSize: 29 })]);
  // 8 nodes take 15 blocks each of 128, so the last ones have to walk over what others have.
  const perNode = 15 * 8;
  const nodes = Array.from({ length: 8 }, (_, i) =>
    startNode(t, ['claim', world.directory, `node-${i}`, '10.244.0.0/22', '29', `${perNode}`]),
  ).map((child) => ({ child, lines: linesOf(child) }));
  for (const { lines } of nodes) assert.equal(await readLine(lines), 'ready');
  for (const { child } of nodes) child.stdin?.write('go\n');
  const results: { blocks: { cidr: string }[]; ips: string[] }[] = [];
  for (const { lines } of nodes) results.push(JSON.parse(await readLine(lines)));
  const blocks = results.flatMap(({ blocks }) => blocks.map(({ cidr }) => cidr));
  const ips = results.flatMap(({ ips }) => ips);
  assert.equal(blocks.length, 8 * 15);
  assert.equal(new Set(blocks).size, blocks.length);
  assert.equal(new Set(ips).size, 8 * perNode);
  const { items } = await world.store.list('IPBlock');
  assert.deepEqual(items.map(({ spec }) => spec.cidr).sort(), [...blocks].sort());
  for (const [i, { blocks }] of results.entries()) {
    for (const { cidr } of blocks) assert.equal(items.find(({ spec }) => spec.cidr === cidr)?.spec.node, `node-${i}`);
  }
});

test('machines that share a name never share a block', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/22', { blockSize: 29 })], ['twin']);
  const machines = Array.from({ length: 4 }, (_, i) =>
    startNode(t, ['claim', world.directory, 'twin', '10.244.0.0/22', '29', '80', `machine-${i}`], {
      prefix: ['unshare', '--net'],
    }),
  ).map((child) => ({ child, lines: linesOf(child) }));
  for (const { lines } of machines) assert.equal(await readLine(lines), 'ready');
  for (const { child } of machines) child.stdin?.write('go\n');
  const results: { blocks: { cidr: string }[]; ips: string[] }[] = [];
  for (const { lines } of machines) results.push(JSON.parse(await readLine(lines)));
  const blocks = results.flatMap((result) => result.blocks.map(({ cidr }) => cidr));
  const ips = results.flatMap((result) => result.ips);
  assert.deepEqual([blocks.length, ips.length], [4 * 10, 4 * 80]);
  assert.equal(new Set(blocks).size, blocks.length);
  assert.equal(new Set(ips).size, ips.length);
});

test('a node that is killed while it assigns keeps every promise, and gives no address twice', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/16', { blockSize: 29 })]);
  let promised = new Map<string, string>();
  for (let round = 0; round < 5; round++) {
    // What the node says goes into a file: a pipe that is full would stop it or lose a line.
    const transcript = join(world.directory, `round-${round}`);
    const said = openSync(transcript, 'a');
    const args = ['churn', world.directory, 'node-1', '10.244.0.0/16', '29', `${round}`];
    const child = startNode(t, args, { stdout: said });
    closeSync(said);
    const ended = once(child, 'exit');
    const length = 4000 + round * 777;
    await waitFor('the transcript', () => statSync(transcript).size > length, { timeoutMs: DEADLINE_MS, everyMs: 1 });
    child.kill('SIGKILL');
    assert.deepEqual(await ended, [null, 'SIGKILL']);
    let releasing = '';
    for (const line of readFileSync(transcript, 'utf8').trimEnd().split('\n')) {
      const [sign, pod = '', ip = ''] = line.split(' ');
      if (sign === '+') {
        assert.ok(!promised.values().some((other) => other === ip), `${ip} was given twice`);
        promised.set(pod, ip);
      } else {
        promised.delete(pod);
        releasing = pod;
      }
    }
    const ipam = await world.open('node-1');
    const kept = new Map(ipam.assignments().map(({ pod, ips }) => [pod, String(ips[0])]));
    ipam.close();
    assert.equal(new Set(kept.values()).size, kept.size);
    for (const [pod, ip] of promised) assert.equal(kept.get(pod), ip, pod);
    // The last release may not have happened, and the last assignment may have happened without a word.
    assert.ok(kept.size - Number(kept.has(releasing)) <= promised.size + 1);
    promised = kept;
  }
});

test('a full disk refuses new addresses, still takes back old ones, and heals', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/16', { blockSize: 20 })]);
  mkdirSync(join(world.directory, 'node-1'));
  const mount = `mount -t tmpfs -o size=512k tmpfs "$0" && exec "$@"`;
  const prefix = ['unshare', '--mount', 'sh', '-c', mount, join(world.directory, 'node-1')];
  const child = startNode(t, ['full-disk', world.directory, 'node-1', '10.244.0.0/16', '20'], { prefix });
  const result = JSON.parse(await readLine(linesOf(child)));
  assert.equal(result.refusal?.kind, 'unavailable');
  assert.match(result.refusal.why, /Cannot write assignment ".*" to journal ".*": database or disk is full/);
  assert.match(result.problem, /Cannot write .* to journal ".*": database or disk is full/);
  assert.deepEqual([result.released, result.freed, result.healed, result.after], ['first', 1, true, 'assigned']);
});

test('a read-only disk is said at start, and nothing of the journal is lost by it', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/16', { blockSize: 24 })]);
  mkdirSync(join(world.directory, 'node-1'));
  const mount = `mount -t tmpfs tmpfs "$0" && exec "$@"`;
  const prefix = ['unshare', '--mount', 'sh', '-c', mount, join(world.directory, 'node-1')];
  const child = startNode(t, ['read-only', world.directory, 'node-1', '10.244.0.0/16', '24'], { prefix });
  const result = JSON.parse(await readLine(linesOf(child)));
  assert.match(result.why, /JournalError: Cannot open journal ".*": .*(read-only|readonly)/i);
  assert.deepEqual([result.kept, result.opening], [['first'], { stale: [] }]);
});
