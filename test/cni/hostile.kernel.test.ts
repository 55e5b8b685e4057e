// Input that means harm, to the executable and to the agent's socket: neither crashes, hangs or grows, the agent goes on
// serving, and nothing of it reaches the kernel.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { test } from 'node:test';
import { encodeFrame } from '../../cni/frame.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode } from '../support/agent-node.ts';
import { type CniCall, type CniCaller, type CniOutcome, cniCaller } from '../support/cni-call.ts';
import { createRandom, mutate, pick, type Random, spoiltFrame } from '../support/cni-fuzz.ts';
import { cniPathsOf, spooled } from '../support/cni-state.ts';
import { testNetns } from '../support/netns.ts';

const MUTATIONS = 1000;
const FRAMES = 400;
const SEED = 20_261_121;
/** Calls at a time. */
const WIDTH = 16;

test('hostile input does no harm', async (t) => {
  const node = await agentNode(t);
  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await node.start();
  const { socket, spool } = cniPathsOf(node);
  const { call } = cniCaller({ socket, spool });
  const pid = node.pid();
  const pod = await testNetns(t, 'pod');
  const id = { containerId: 'c1', netns: pod.path, pod: 'web' };
  const expectServing = async (): Promise<void> => {
    const added = await call({ command: 'ADD', ...id });
    assert.equal(added.exitCode, 0, added.stdout);
    assert.equal((await call({ command: 'DEL', ...id })).exitCode, 0);
    assert.ok(processesOf(node).includes(pid), 'the same process');
  };
  await expectServing();
  const before = { kilobytes: residentOf(pid), descriptors: descriptorsOf(pid) };
  // Those who never say anything keep nobody out meanwhile, and are dropped in the end.
  const silent = Array.from({ length: 200 }, () => open(socket));
  const dropped = Promise.all(silent.map(closedOf));
  const random = createRandom(SEED);
  t.diagnostic(`seed ${SEED}`);

  await t.test('standard input and environment of the executable', () => mutations({ call, node }, random));
  await t.test('frames that are none', () => frames(socket, random));
  await t.test('a writer that is slow, half-closed or gone', () => slowWriters(socket));
  await t.test('answers that nobody reads', () => unreadAnswers(socket));
  await expectServing();

  // One that has its answer and never closes its side, until the test is over.
  const lingering = connect({ path: socket, allowHalfOpen: true });
  t.after(() => lingering.destroy());
  const ended = once(lingering, 'end');
  lingering.resume().write(encodeFrame({ environment: { CNI_COMMAND: 'STATUS' }, stdin: new Uint8Array() }));
  await ended;
  await dropped;
  await waitFor('every connection to be closed', async () => descriptorsOf(pid) <= before.descriptors, {
    timeoutMs: 60_000,
  });
  const grown = residentOf(pid) - before.kilobytes;
  t.diagnostic(`the agent grew by ${grown} KB`);
  assert.ok(grown < 96 * 1024, `${grown} KB`);
  assert.deepEqual(spooled(node), []);
  await waitFor('the link to go', async () => !/mgy/.test(await node.netns.exec('ip', '-o', 'link')));
  assert.doesNotMatch(await node.netns.exec('nft', 'list', 'ruleset'), /mgy[0-9a-f]{11}/);
});

const HOSTILE = [
  '',
  ' ',
  '../../etc/passwd',
  '/',
  '.',
  'a b',
  'a\nb',
  '"',
  "'",
  '$(reboot)',
  '`id`',
  ';',
  '%n%s%s',
  '\u202e',
  'ü',
  '\x01',
  'a'.repeat(257),
  'a'.repeat(65_536),
  'a'.repeat(65_537),
];

type Target = { readonly call: CniCaller['call']; readonly node: AgentNode };

async function mutations({ call, node }: Target, random: Random): Promise<void> {
  // What is still well in all else fails there, and needs no clearing away.
  const netns = '/run/netns/never-was';
  const { socket, spool } = cniPathsOf(node);
  const good = {
    ...{ cniVersion: '1.1.0', name: 'margay', type: 'margay', agentSocket: socket, spoolDirectory: spool },
    ...{
      mtu: 1400,
      dns: { nameservers: ['192.0.2.1'] },
      runtimeConfig: { ips: ['192.0.2.7/24'], mac: '02:00:00:00:00:01' },
    },
    ...{ 'cni.dev/valid-attachments': [{ containerID: 'c9', ifname: 'eth0' }] },
  };
  const calls: CniCall[] = HOSTILE.flatMap((value) =>
    ['CNI_COMMAND', 'CNI_CONTAINERID', 'CNI_NETNS', 'CNI_IFNAME', 'CNI_ARGS', 'CNI_PATH'].map((name) => ({
      ...{ command: 'ADD', containerId: 'c2', netns, pod: 'web' },
      environment: { [name]: value },
    })),
  );
  const text = Buffer.from(JSON.stringify(good));
  const verbs = ['ADD', 'CHECK', 'STATUS', 'GC', 'VERSION', 'EXPLODE'];
  for (let n = 0; n < MUTATIONS; n++) {
    // A DEL of a spoilt configuration may be for another socket, and would be kept in another spool.
    calls.push({
      command: pick(verbs, random),
      containerId: 'c2',
      netns,
      pod: 'web',
      stdin: mutate(text, random),
    });
  }
  for (const stdin of [
    Buffer.alloc(0),
    Buffer.alloc(10 << 20, '{"a":'),
    Buffer.alloc(1 << 20, '['),
    text.subarray(0, 40),
  ]) {
    calls.push({ command: 'ADD', containerId: 'c2', netns, pod: 'web', stdin });
  }
  const left = [...calls];
  const numbers = new Map<string, number>();
  const worker = async (): Promise<void> => {
    for (let next = left.shift(); next !== undefined; next = left.shift()) {
      const outcome = wellFormed(await call(next), next);
      numbers.set(outcome, (numbers.get(outcome) ?? 0) + 1);
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, worker));
  // Most of the numbers were met: the input was not all refused at the door.
  for (const expected of ['4', '6', '7', '8', '11'])
    assert.ok(numbers.has(expected), `${expected}: ${JSON.stringify([...numbers])}`);
}

/** Ended by itself, with an error as the specification has it, or with an answer. Returns its number, or `ok`. */
function wellFormed({ exitCode, stdout }: CniOutcome, call: CniCall): string {
  const about = `${call.command} ${JSON.stringify(call.environment)} ${String(call.stdin).slice(0, 400)}`;
  assert.notEqual(exitCode, null, `killed: ${about}`);
  if (exitCode === 0) return 'ok';
  const error = JSON.parse(stdout) as Record<string, unknown>;
  assert.equal(typeof error['msg'], 'string', about);
  assert.match(String(error['cniVersion']), /^[0-9.]{1,31}$/, about);
  assert.ok(Number.isInteger(error['code']), about);
  assert.notEqual(error['code'], 199, `${stdout} ${about}`);
  return String(error['code']);
}

async function frames(socket: string, random: Random): Promise<void> {
  for (let n = 0; n < FRAMES; n += WIDTH) {
    await Promise.all(
      Array.from({ length: WIDTH }, async () => {
        const connection = open(socket);
        const bytes = spoiltFrame(random);
        const cut = random.below(bytes.length + 1);
        connection.write(bytes.subarray(0, cut));
        connection.end(bytes.subarray(cut));
        await closedOf(connection);
      }),
    );
  }
}

async function slowWriters(socket: string): Promise<void> {
  const frame = Buffer.from(encodeFrame({ environment: { CNI_COMMAND: 'STATUS' }, stdin: Buffer.from('{') }));
  // Byte by byte: answered as any other.
  const slow = open(socket);
  const answered = once(slow, 'data') as Promise<[Buffer]>;
  for (const byte of frame) await new Promise((resolve) => slow.write(Buffer.of(byte), resolve));
  const [answer] = await answered;
  assert.equal(JSON.parse(answer.subarray(5).toString()).code, 6);
  // Closed for writing after half a frame; gone after half; gone after all of it.
  const half = frame.subarray(0, frame.length / 2);
  const halfClosed = open(socket);
  halfClosed.end(half);
  await closedOf(halfClosed);
  for (const bytes of [half, frame, Buffer.alloc(0)]) {
    const gone = open(socket);
    await new Promise((resolve) => gone.write(bytes, resolve));
    gone.destroy();
    await closedOf(gone);
  }
}

/** A frame that is answered at length, by a reader that has gone or does not read. */
async function unreadAnswers(socket: string): Promise<void> {
  const stdin = Buffer.from(JSON.stringify({ cniVersion: 'x'.repeat(500_000), name: 'margay', type: 'margay' }));
  const frame = Buffer.from(encodeFrame({ environment: { CNI_COMMAND: 'ADD' }, stdin }));
  for (let n = 0; n < 20; n++) {
    const connection = open(socket);
    await new Promise((resolve) => connection.write(frame, resolve));
    connection.pause();
    if (n % 2 === 0) connection.destroy();
    else connection.resume();
    await closedOf(connection);
  }
}

/** What the other end does to it is not the question here. */
function open(path: string): Socket {
  const socket = connect({ path, allowHalfOpen: true });
  socket.on('error', () => undefined);
  socket.on('end', () => socket.destroy());
  socket.resume();
  return socket;
}

/** Whatever error came before. */
const closedOf = (socket: Socket): Promise<void> =>
  new Promise((resolve) => {
    socket.once('close', () => resolve());
  });

const processesOf = (node: AgentNode): readonly number[] =>
  execFileSync('ip', ['netns', 'pids', node.netns.name], { encoding: 'utf8' }).split('\n').map(Number);

const residentOf = (pid: number): number =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);

const descriptorsOf = (pid: number): number => readdirSync(`/proc/${pid}/fd`).length;
