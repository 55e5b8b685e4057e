// DELs that no agent answered: the spool by itself, and with the real executable and an agent process.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createLog } from '../lib/log.ts';
import { waitFor } from '../lib/wait-for.ts';
import { whileBusy } from '../test/support/busy-agent.ts';
import { nodeAndPod, nothingLeft, outcome, succeeded } from '../test/support/cni-answers.ts';
import { cniNode } from '../test/support/cni-node.ts';
import { testNetns } from '../test/support/netns.ts';
import { encodeFrame } from './frame.ts';
import type { CniHandler } from './handler.ts';
import { createSpool, spoolName } from './spool.ts';

const log = createLog('test');
log.level = 'silent';

test('replay() carries out what is good and drops what never will be', async (t) => {
  const folder = temporary(t);
  const del = encodeFrame({ environment: { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'a' }, stdin: new Uint8Array() });
  const files: Readonly<Record<string, Uint8Array>> = {
    good: del,
    garbage: Buffer.from('garbage'),
    empty: new Uint8Array(),
    'cut-off': del.subarray(0, 20),
    add: encodeFrame({ environment: { CNI_COMMAND: 'ADD' }, stdin: new Uint8Array() }),
    huge: new Uint8Array(3 << 20),
    hopeless: encodeFrame({ environment: { CNI_COMMAND: 'DEL', CNI_CONTAINERID: '/' }, stdin: new Uint8Array() }),
    later: encodeFrame({ environment: { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'later' }, stdin: new Uint8Array() }),
    '.unfinished': del,
    '.unfinished-long-ago': del,
  };
  for (const [name, content] of Object.entries(files)) writeFileSync(join(folder, name), content);
  // Nobody ever writes to it.
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  symlinkSync('good', join(folder, 'symlink'));
  utimesSync(join(folder, '.unfinished-long-ago'), 1, 1);
  const handled: (string | undefined)[] = [];
  const handle: CniHandler = async ({ environment: { CNI_CONTAINERID: id } }) => {
    handled.push(id);
    const code = id === '/' ? 4 : 104;
    return id === 'a' ? { exitCode: 0, stdout: '' } : { exitCode: 1, stdout: JSON.stringify({ code, msg: 'no' }) };
  };
  assert.deepEqual(await createSpool(folder, handle, log).replay(), { done: 9, kept: 1 });
  assert.deepEqual(handled, ['a', '/', 'later']);
  assert.deepEqual(readdirSync(folder).sort(), ['.unfinished', 'later']);
  assert.deepEqual(await createSpool(join(folder, 'never-was'), handle, log).replay(), { done: 0, kept: 0 });
});

test('keepReplaying() comes again for what is new and what failed, one at a time, until it is aborted', async (t) => {
  const folder = temporary(t);
  const stop = new AbortController();
  const ids: (string | undefined)[] = [];
  let [running, most] = [0, 0];
  const handle: CniHandler = async ({ environment: { CNI_CONTAINERID: id } }) => {
    most = Math.max(most, ++running);
    ids.push(id);
    await setImmediate();
    running--;
    const isWell = ids.filter((each) => each === id).length === 3;
    return isWell ? { exitCode: 0, stdout: '' } : { exitCode: 1, stdout: JSON.stringify({ code: 104, msg: 'no' }) };
  };
  const replaying = createSpool(folder, handle, log).keepReplaying(stop.signal, 1);
  for (const id of ['a', 'b']) writeFileSync(join(folder, id), delOf(id));
  await waitFor('the spool to be empty', () => readdirSync(folder).length === 0);
  assert.deepEqual(ids.toSorted(), ['a', 'a', 'a', 'b', 'b', 'b']);
  assert.equal(most, 1);
  stop.abort();
  await replaying;
  writeFileSync(join(folder, 'c'), delOf('c'));
  await createSpool(folder, handle, log).keepReplaying(stop.signal, 1);
  assert.deepEqual(readdirSync(folder), ['c']);
});

test('an ADD comes after the DEL that is kept for its container, and not at all when that fails', async (t) => {
  const folder = temporary(t);
  const handled: string[] = [];
  let code = 104;
  const inner: CniHandler = async ({ environment: { CNI_COMMAND, CNI_CONTAINERID } }) => {
    handled.push(`${CNI_COMMAND} ${CNI_CONTAINERID}`);
    await setImmediate();
    if (CNI_COMMAND === 'ADD' || code === 0) return { exitCode: 0, stdout: '' };
    return { exitCode: 1, stdout: JSON.stringify({ code, msg: 'the kernel keeps it' }) };
  };
  const { handle, replay } = createSpool(folder, inner, log);
  const add = {
    environment: { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'a', CNI_IFNAME: 'eth0' },
    stdin: Buffer.from('{}'),
  };
  const file = join(folder, spoolName('a', 'eth0'));
  writeFileSync(join(folder, spoolName('b', 'eth0')), delOf('b'));
  writeFileSync(file, delOf('a'));
  const refused = await handle(add);
  assert.equal(refused.exitCode, 1);
  const error = JSON.parse(refused.stdout);
  assert.deepEqual([error.code, error.details], [11, 'the kernel keeps it']);
  assert.deepEqual(handled, ['DEL a']);

  code = 0;
  // The rescan meets the same file: its DEL is not behind the ADD either.
  await Promise.all([replay(), handle(add)]);
  assert.equal(handled.lastIndexOf('DEL a') < handled.indexOf('ADD a'), true, handled.join());
  assert.deepEqual(readdirSync(folder), []);
  // One that never will be carried out is in nobody's way.
  writeFileSync(file, 'garbage');
  assert.equal((await handle(add)).exitCode, 0);
  assert.deepEqual(readdirSync(folder), []);
});

test('an ADD comes after what is kept for its network and what is kept without a network, not after others', async (t) => {
  const folder = temporary(t);
  const handled: string[] = [];
  const inner: CniHandler = async ({ environment: { CNI_COMMAND, CNI_CONTAINERID } }) => {
    handled.push(`${CNI_COMMAND} ${CNI_CONTAINERID}`);
    return { exitCode: 0, stdout: '' };
  };
  const { handle } = createSpool(folder, inner, log);
  const other = spoolName('a', 'eth0', 'other');
  for (const file of [spoolName('a', 'eth0', 'margay'), spoolName('a', 'eth0'), other]) {
    writeFileSync(join(folder, file), delOf('a'));
  }
  const environment = { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'a', CNI_IFNAME: 'eth0' };
  await handle({ environment, stdin: Buffer.from('{"cniVersion":"1.0.0","name":"margay"}') });
  assert.deepEqual(handled, ['DEL a', 'DEL a', 'ADD a']);
  assert.deepEqual(readdirSync(folder), [other]);
});

test('an ADD is read for what is kept for it only where something is kept', async (t) => {
  const folder = temporary(t);
  let readings = 0;
  const frame = {
    environment: { CNI_COMMAND: 'ADD', CNI_CONTAINERID: 'a', CNI_IFNAME: 'eth0' },
    get stdin() {
      readings++;
      return Buffer.from('{}');
    },
  };
  const inner: CniHandler = async () => ({ exitCode: 0, stdout: '' });
  for (const directory of [folder, join(folder, 'never-was')]) await createSpool(directory, inner, log).handle(frame);
  assert.equal(readings, 0);
  writeFileSync(join(folder, 'b'), delOf('b'));
  await createSpool(folder, inner, log).handle(frame);
  assert.equal(readings, 1);
});

test('a DEL without an agent is carried out when there is one', async (t) => {
  const { node, pod } = await nodeAndPod(t);
  const id = { containerId: 'c1', netns: pod.path, pod: 'web-0' };
  succeeded(await node.call({ command: 'ADD', ...id }));
  await node.agent().kill('SIGKILL');
  // What no DEL needs, and no ADD would take.
  const config = { mtu: '1400', prevResult: null, runtimeConfig: { mac: 5 } };
  for (let n = 0; n < 3; n++)
    assert.deepEqual(outcome(await node.call({ command: 'DEL', ...id, config })), { exitCode: 0, stdout: '' });
  const agent = await node.startAgent();
  assert.deepEqual(agent.ready, { ready: true, replayed: { done: 1, kept: 0 } });
  assert.deepEqual(await agent.tell({ kind: 'assignments' }), []);
  await nothingLeft(node, pod);
});

test('a DEL that a busy agent did not take is carried out before long', async (t) => {
  const node = await cniNode(t);
  const pod = await testNetns(t, 'pod');
  const agent = await node.startAgent({ replayEveryMs: 50 });
  const id = { containerId: 'c1', netns: pod.path, pod: 'web-0' };
  succeeded(await node.call({ command: 'ADD', ...id }));
  await whileBusy(node.config.socket, async () => {
    assert.deepEqual(outcome(await node.call({ command: 'DEL', ...id })), { exitCode: 0, stdout: '' });
  });
  await waitFor('the DEL to be carried out', () => readdirSync(node.config.spool).length === 0);
  assert.deepEqual(await agent.tell({ kind: 'assignments' }), []);
  await nothingLeft(node, pod);
});

test('a container that is attached again is not taken for the one of a DEL before', async (t) => {
  const { node, pod } = await nodeAndPod(t);
  const id = { containerId: 'c1', netns: pod.path, pod: 'web-0' };
  succeeded(await node.call({ command: 'ADD', ...id }));
  await whileBusy(node.config.socket, async () => {
    assert.deepEqual(outcome(await node.call({ command: 'DEL', ...id })), { exitCode: 0, stdout: '' });
    assert.equal(readdirSync(node.config.spool).length, 1);
  });
  const prevResult = succeeded(await node.call({ command: 'ADD', ...id }));
  assert.deepEqual(readdirSync(node.config.spool), []);
  await node.agent().kill('SIGKILL');
  const { ready } = await node.startAgent();
  assert.deepEqual(ready, { ready: true, replayed: { done: 0, kept: 0 } });
  const checked = await node.call({ command: 'CHECK', ...id, config: { prevResult } });
  assert.deepEqual(outcome(checked), { exitCode: 0, stdout: '' });
});

const delOf = (id: string): Uint8Array =>
  encodeFrame({
    environment: { CNI_COMMAND: 'DEL', CNI_CONTAINERID: id, CNI_IFNAME: 'eth0' },
    stdin: new Uint8Array(),
  });

function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'margay-server-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
