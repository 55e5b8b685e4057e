// A node in a process of its own, for tests that race nodes, kill them, or fill their disk. Arguments: what to do, the
// directory of the world, the name of the node, a pool CIDR, its block size, a number whose meaning follows below, and the
// name of the machine, which is that of the node when absent.
import { execFileSync } from 'node:child_process';
import { rmSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { pino } from 'pino';
import { openEmbeddedStore } from '../../datastore/embedded/open.ts';
import { createIpam } from '../../ipam/allocator.ts';
import type { AssignOutcome, Ipam } from '../../ipam/ipam.ts';
import { ipPool, podRequest } from './ipam-world.ts';

const [mode = '', directory = '', node = '', cidr = '', blockSize = '', count = '0', machine = node] =
  process.argv.slice(2);
const pools = [ipPool('a', cidr, { blockSize: Number(blockSize) })];
const store = openEmbeddedStore({ path: join(directory, 'store.db') });
const journalPath = join(directory, machine, 'journal.db');
const log = pino({ level: 'silent' });
const ipam = await createIpam({ store, node, journalPath, pools: () => pools, log });
const say = (text: string): void => {
  writeSync(1, `${text}\n`);
};

if (mode === 'claim') await claimAll(ipam);
else if (mode === 'churn') await churn(ipam);
else if (mode === 'full-disk') await fillDisk(ipam);
else if (mode === 'read-only') await becomeReadOnly(ipam);
else throw new Error(`Cannot run "${mode}": expected claim, churn, full-disk or read-only`);
if (mode !== 'read-only') ipam.close();
store.close();

/** Assigns `count` addresses and tells the blocks. */
async function claimAll(ipam: Ipam): Promise<void> {
  await ipam.start();
  say('ready');
  await new Promise((resolve) => process.stdin.once('data', resolve));
  for (let i = 0; i < Number(count); i++) addressOf(await ipam.assign(podRequest(`${machine}-${i}`)));
  say(JSON.stringify({ blocks: ipam.blocks(), ips: ipam.assignments().flatMap(({ ips }) => ips) }));
  process.stdin.destroy();
}

/** Assigns and releases until it is killed; says `+ pod ip` after, and `- pod` before each. `count` seeds the names. */
async function churn(ipam: Ipam): Promise<void> {
  await ipam.start();
  for (let i = 0; ; i++) {
    const pod = `p${count}-${i}`;
    say(`+ ${pod} ${addressOf(await ipam.assign(podRequest(pod)))}`);
    if (i % 2 === 0) ipam.markAttached(podRequest(pod).handle, { mac: '02:00:00:00:00:01', mtu: 1500 });
    const victim = ipam.assignments()[i % 7];
    if (ipam.assignments().length < 20 || victim === undefined) continue;
    say(`- ${victim.pod}`);
    ipam.release(victim.handle);
  }
}

/** The journal's directory is a tiny file system: fills it, and tells what still works. */
async function fillDisk(ipam: Ipam): Promise<void> {
  await ipam.claimFirstBlock();
  const first = addressOf(await ipam.assign(podRequest('first')));
  const filler = join(directory, node, 'filler');
  try {
    for (;;) writeFileSync(filler, Buffer.alloc(1024), { flag: 'a' });
  } catch {
    // That is the aim: no space is left.
  }
  const refusals: AssignOutcome[] = [];
  // Room that the write-ahead log has already taken is used up first.
  for (let i = 0; i < 2000 && refusals.length === 0; i++) {
    const outcome = await ipam.assign(podRequest(`more-${i}`));
    if (outcome.kind !== 'assigned') refusals.push(outcome);
  }
  const problem = ipam.journalProblem();
  const before = ipam.assignments().length;
  const released = ipam.release(podRequest('first').handle)?.pod;
  const kept = ipam.assignments().length;
  rmSync(filler);
  const healed = ipam.journalProblem() === undefined;
  const after = (await ipam.assign(podRequest('last'))).kind;
  say(JSON.stringify({ first, refusal: refusals[0], problem, released, freed: before - kept, healed, after }));
}

/** The journal's directory is a file system of its own: tells what the next start says when it is read-only. */
async function becomeReadOnly(ipam: Ipam): Promise<void> {
  await ipam.claimFirstBlock();
  addressOf(await ipam.assign(podRequest('first')));
  ipam.close();
  const remount = (how: string): void => {
    execFileSync('mount', ['-o', `remount,${how}`, join(directory, node)]);
  };
  remount('ro');
  const open = () => createIpam({ store, node, journalPath, pools: () => pools, log });
  const why = await open().then(
    () => 'it opened',
    (error: unknown) => String(error),
  );
  remount('rw');
  const again = await open();
  say(JSON.stringify({ why, kept: again.assignments().map(({ pod }) => pod), opening: again.opening }));
  again.close();
}

function addressOf(outcome: AssignOutcome): string {
  if (outcome.kind !== 'assigned') throw new Error(`${outcome.kind}: ${outcome.why}`);
  return String(outcome.assignment.ips[0]);
}
