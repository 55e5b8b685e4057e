// What the runtime sees of a disk that is full, and of a machine that was started again; who may read the folders there.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { askAgent } from '../../cli/ipam/ask-agent.ts';
import { ipamViewSchema } from '../../ipam/view.ts';
import { type AgentNode, agentNode } from '../support/agent-node.ts';
import { type CniOutcome, cniCaller } from '../support/cni-call.ts';
import { cniPathsOf } from '../support/cni-state.ts';
import { testNetns } from '../support/netns.ts';

test('a full disk refuses new pods and lets the others go; a new boot frees all addresses first', async (t) => {
  const stateDirectory = smallDisk(t);
  const node = await agentNode(t, { stateDirectory });
  await node.start();
  const { call } = cniCaller({ ...cniPathsOf(node), spool: join(stateDirectory, 'cni-spool') });
  const pods = await Promise.all(['a', 'b', 'c'].map((name) => testNetns(t, name)));
  const [a, b, c] = pods.map((pod, n) => ({ containerId: `c${n}`, netns: pod.path, pod: `p${n}` }));
  const addressOf = (answer: CniOutcome): string => JSON.parse(succeeded(answer)).ips[0].address;
  const first = addressOf(await call({ command: 'ADD', ...a }));
  addressOf(await call({ command: 'ADD', ...b }));

  fill(join(stateDirectory, 'filler'));
  const refused = await untilRefused(async () => {
    // Room that the log has taken already is used up first.
    const answer = await call({ command: 'ADD', ...c });
    if (answer.exitCode === 0) assert.equal((await call({ command: 'DEL', ...c })).exitCode, 0);
    return answer;
  });
  const { code, msg, details } = JSON.parse(refused.stdout);
  assert.equal(code, 11);
  assert.match(msg, /Cannot write assignment .*: database or disk is full/);
  assert.equal(details, 'The next attempt may succeed');
  const status = await call({ command: 'STATUS' });
  assert.deepEqual([JSON.parse(status.stdout).code, /database or disk is full/.test(status.stdout)], [50, true]);
  assert.doesNotMatch((await pods[2]?.exec('ip', '-o', 'link')) ?? '', /eth0/);
  succeeded(await call({ command: 'DEL', ...a }));
  assert.deepEqual([...(await heldBy(node)).keys()], ['margay.c1.eth0']);
  // Kept back until the journal knows that it is free, also over a crash.
  rmSync(join(stateDirectory, 'filler'));
  assert.equal(succeeded(await call({ command: 'STATUS' })), '', 'it is well again before the next pod');
  assert.notEqual(addressOf(await call({ command: 'ADD', ...c })), first);
  await node.kill();
  await node.start();
  assert.deepEqual([...(await heldBy(node)).keys()].sort(), ['margay.c1.eth0', 'margay.c2.eth0']);

  // A boot: links and namespaces are gone, and the journal is of another one.
  await node.kill();
  const links = (await node.netns.exec('ip', '-o', 'link')).match(/mgy[0-9a-f]{11}/g) ?? [];
  for (const link of new Set(links)) await node.netns.exec('ip', 'link', 'delete', link);
  const journal = new DatabaseSync(join(stateDirectory, 'journal.db'));
  journal.exec("UPDATE meta SET value = 'an earlier boot' WHERE key = 'boot_id'");
  journal.close();
  await node.start();
  assert.deepEqual(await heldBy(node), new Map());
  assert.match(node.log(), /"count":2,"msg":"Freed the addresses of the previous boot"/);
  addressOf(await call({ command: 'ADD', ...b }));
  // The runtime may only now say that the pods of before are gone.
  for (const id of [a, c]) succeeded(await call({ command: 'DEL', ...id }));
  assert.deepEqual([...(await heldBy(node)).keys()], ['margay.c1.eth0']);
});

test('folders that were open to others are for root alone once the agent runs', async (t) => {
  const node = await agentNode(t);
  const run = dirname(node.controlSocket);
  const folders = [run, join(dirname(run), 'state')];
  for (const folder of folders) {
    mkdirSync(folder, { recursive: true });
    chmodSync(folder, 0o755);
  }
  await node.start();
  assert.deepEqual(
    folders.map((folder) => statSync(folder).mode & 0o777),
    [0o700, 0o700],
  );
});

async function heldBy({ controlSocket }: AgentNode): Promise<ReadonlyMap<string, string>> {
  const view = ipamViewSchema.parse(JSON.parse(await askAgent(controlSocket, 'GET', '/v1/ipam')));
  return new Map(view.assignments.map(({ assignment: { handle, ips } }) => [handle, ips.join()]));
}

function succeeded({ exitCode, stdout }: CniOutcome): string {
  assert.equal(exitCode, 0, stdout);
  return stdout;
}

async function untilRefused(attempt: () => Promise<CniOutcome>): Promise<CniOutcome> {
  for (let n = 0; n < 1000; n++) {
    const answer = await attempt();
    if (answer.exitCode !== 0) return answer;
  }
  return assert.fail('never refused');
}

/** Takes all that is left. */
function fill(path: string): void {
  try {
    for (;;) writeFileSync(path, Buffer.alloc(1024), { flag: 'a' });
  } catch {
    // That is the aim.
  }
}

/** A file system of its own that little fits on. */
function smallDisk(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'margay-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=512k,mode=0700', 'tmpfs', path]);
  t.after(() => {
    // The agent may still have files there.
    execFileSync('umount', ['--lazy', path]);
    rmSync(path, { recursive: true });
  });
  return path;
}
