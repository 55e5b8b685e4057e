import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate } from 'node:timers/promises';
import { createLog } from '../lib/log.ts';
import { waitFor } from '../lib/wait-for.ts';
import { encodeAnswer, encodeFrame } from './frame.ts';
import type { CniHandler } from './handler.ts';
import { serveCni } from './server.ts';
import { createSpool, spoolName } from './spool.ts';

const log = createLog('test');
log.level = 'silent';
const echo: CniHandler = async ({ environment }) => ({ exitCode: 3, stdout: environment.CNI_COMMAND ?? '' });

test('serveCni() makes a socket for root alone, and replaces a stale one', async (t) => {
  const folder = temporary(t);
  const path = join(folder, 'run/cni.sock');
  mkdirSync(join(folder, 'run'));
  // As a killed agent leaves it.
  const script = `require('net').createServer().listen('${path}', () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', script]);
  assert.ok(statSync(path).isSocket());
  const server = await serveCni(path, echo, log);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  await assert.rejects(serveCni(path, echo, log), /another agent answers there/);
  assert.deepEqual(
    await exchange(path, encodeFrame({ environment: { CNI_COMMAND: 'ADD' }, stdin: new Uint8Array() })),
    [...encodeAnswer({ exitCode: 3, stdout: 'ADD' })],
  );
  await server.close();
});

test('serveCni() answers nonsense with an error', async (t) => {
  const path = join(temporary(t), 'run/cni.sock');
  const server = await serveCni(path, echo, log);
  assert.equal(statSync(join(path, '..')).mode & 0o777, 0o700);
  for (const given of ['GET / HTTP/1.1\r\n', 'MGY1\x7f\xff\xff\xff']) {
    const answer = Buffer.from(await exchange(path, Buffer.from(given, 'latin1')));
    assert.equal(answer[0], 1);
    assert.equal(JSON.parse(answer.subarray(5).toString()).code, 5);
  }
  await server.close();
});

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
  utimesSync(join(folder, '.unfinished-long-ago'), 1, 1);
  const handled: (string | undefined)[] = [];
  const handle: CniHandler = async ({ environment: { CNI_CONTAINERID: id } }) => {
    handled.push(id);
    const code = id === '/' ? 4 : 104;
    return id === 'a' ? { exitCode: 0, stdout: '' } : { exitCode: 1, stdout: JSON.stringify({ code, msg: 'no' }) };
  };
  assert.deepEqual(await createSpool(folder, handle, log).replay(), { done: 7, kept: 1 });
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

const delOf = (id: string): Uint8Array =>
  encodeFrame({
    environment: { CNI_COMMAND: 'DEL', CNI_CONTAINERID: id, CNI_IFNAME: 'eth0' },
    stdin: new Uint8Array(),
  });

async function exchange(path: string, request: Uint8Array): Promise<readonly number[]> {
  const socket = connect(path);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(request);
  await once(socket, 'close');
  return [...Buffer.concat(chunks)];
}

function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'margay-server-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
