import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { createLog } from '../lib/log.ts';
import { encodeAnswer, encodeFrame } from './frame.ts';
import type { CniHandler } from './handler.ts';
import { serveCni } from './server.ts';

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
