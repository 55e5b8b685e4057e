// The CNI executable by itself: without an agent, with a silent one, and with hostile input.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { cniExecutable } from '../../test/support/cni-call.ts';
import { decodeFrame, encodeAnswer } from '../frame.ts';
import { spoolName } from '../spool.ts';

type Outcome = { readonly exitCode: number | null; readonly stdout: string; readonly ms: number };

test('the executable is static, small, and has no fault points', () => {
  const bytes = readFileSync(cniExecutable());
  assert.ok(bytes.length < 64 * 1024, `${bytes.length} bytes`);
  assert.ok(!bytes.includes('MARGAY_FAULT'));
  // No program interpreter (PT_INTERP) is named: nothing is loaded at start.
  assert.ok(!bytes.includes('/ld-'));
  assert.ok(readFileSync(cniExecutable('faults')).includes('MARGAY_FAULT'));
});

test('VERSION needs no agent', async (t) => {
  const rows = [
    { name: 'echoes the version', given: '{"cniVersion":"0.4.0"}', expected: '0.4.0' },
    { name: 'no version', given: '{}', expected: '1.1.0' },
    { name: 'no input', given: '', expected: '1.1.0' },
    { name: 'only of the outermost object', given: '{"a":{"cniVersion":"9.9.9"},"x":"}{"}', expected: '1.1.0' },
    { name: 'the last of two', given: '{"cniVersion":"0.1.0","cniVersion":"1.0.0"}', expected: '1.0.0' },
    { name: 'not a version', given: '{"cniVersion":"1\\",\\"x\\":\\"y"}', expected: '1.1.0' },
    { name: 'a key as a value', given: '{"a":"cniVersion","b":"0.4.0"}', expected: '1.1.0' },
  ];
  for (const { name, given, expected } of rows) {
    await t.test(name, async () => {
      const { exitCode, stdout } = await call({ CNI_COMMAND: 'VERSION' }, given);
      assert.equal(exitCode, 0);
      assert.deepEqual(JSON.parse(stdout), {
        cniVersion: expected,
        supportedVersions: ['0.3.1', '0.4.0', '1.0.0', '1.1.0'],
      });
    });
  }
});

test('without an agent, calls fail with "try again" within a second', async (t) => {
  const { config, socket } = folder(t);
  const rows = [
    { name: 'ADD', given: 'ADD', expected: 11 },
    { name: 'CHECK', given: 'CHECK', expected: 11 },
    { name: 'GC', given: 'GC', expected: 11 },
    { name: 'STATUS', given: 'STATUS', expected: 50 },
    { name: 'unknown', given: 'EXPLODE', expected: 11 },
    { name: 'DEL without a container', given: 'DEL', expected: 11 },
  ];
  const environments = [{ name: 'no socket' }, { name: 'a stale socket' }];
  for (const { name: state } of environments) {
    if (state === 'a stale socket') await leaveStaleSocket(socket);
    for (const { name, given, expected } of rows) {
      await t.test(`${name}, ${state}`, async () => {
        const { exitCode, stdout } = await quickCall({ CNI_COMMAND: given }, config());
        assert.equal(exitCode, 1);
        const error = JSON.parse(stdout);
        assert.equal(error.code, expected);
        assert.equal(error.cniVersion, '1.0.0');
        assert.match(error.details, /Start the agent/);
      });
    }
  }
});

test('an agent that does not answer STATUS cannot serve, and nobody waits for it as for an ADD', async (t) => {
  const { config, socket } = folder(t);
  const silent = createServer();
  await new Promise<void>((resolve) => silent.listen(socket, resolve));
  t.after(() => silent.close());
  const { exitCode, stdout } = await call({ CNI_COMMAND: 'STATUS' }, config(), AbortSignal.timeout(30_000));
  assert.equal(exitCode, 1);
  const { code, msg } = JSON.parse(stdout);
  assert.deepEqual([code, msg], [50, `Cannot reach the margay-node agent: "${socket}" does not answer`]);
});

test('without an agent, DEL is kept once per attachment, complete', async (t) => {
  const { config, spool } = folder(t);
  const environment = { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'abc', CNI_IFNAME: 'eth0', CNI_ARGS: 'K8S_POD_NAME=ü' };
  for (let n = 0; n < 3; n++) assert.deepEqual(kept(await call(environment, config())), { exitCode: 0, stdout: '' });
  const names = readdirSync(spool);
  assert.equal(names.length, 1);
  assert.equal(names[0], spoolName('abc', 'eth0', 'margay'));
  const path = join(spool, names[0] ?? '');
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.equal(statSync(spool).mode & 0o777, 0o700);
  const decoded = decodeFrame(readFileSync(path));
  assert.ok(decoded.kind === 'frame');
  assert.deepEqual(decoded.frame.environment, environment);
  assert.equal(new TextDecoder().decode(decoded.frame.stdin), config());
  await call({ ...environment, CNI_IFNAME: 'eth1' }, config());
  await call({ ...environment, CNI_CONTAINERID: 'abce', CNI_IFNAME: 'th0' }, config());
  assert.equal(readdirSync(spool).length, 3);
});

test('without an agent, the DELs of one interface in two networks are both kept', async (t) => {
  const { config, spool } = folder(t);
  const environment = { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'abc', CNI_IFNAME: 'eth0' };
  const rows = [
    { name: 'margay', expected: spoolName('abc', 'eth0', 'margay') },
    { name: 'x'.repeat(128), expected: spoolName('abc', 'eth0', 'x'.repeat(128)) },
    { name: 'x'.repeat(129), expected: spoolName('abc', 'eth0') },
    { name: 'with "quotes"', expected: spoolName('abc', 'eth0') },
    { name: 5, expected: spoolName('abc', 'eth0') },
  ];
  for (const { name, expected } of rows) {
    const { exitCode } = await call(environment, JSON.stringify({ ...JSON.parse(config()), name }));
    assert.equal(exitCode, 0);
    assert.ok(readdirSync(spool).includes(expected), String(name));
  }
  assert.equal(readdirSync(spool).length, 3);
});

test('the spool is bounded, and what it holds may be repeated', async (t) => {
  const { config, spool } = folder(t);
  mkdirSync(spool);
  for (let n = 0; n < 1023; n++) writeFileSync(join(spool, String(n)), '');
  const first = { CNI_COMMAND: 'DEL', CNI_CONTAINERID: 'abc', CNI_IFNAME: 'eth0' };
  assert.equal((await call(first, config())).exitCode, 0);
  const { exitCode, stdout } = await call({ ...first, CNI_CONTAINERID: 'def' }, config());
  assert.equal(exitCode, 1);
  const error = JSON.parse(stdout);
  assert.equal(error.code, 11);
  assert.equal(error.msg, `Cannot keep the DEL for the agent: "${spool}" is full or not writable`);
  assert.equal((await call(first, config())).exitCode, 0);
  assert.equal(readdirSync(spool).length, 1024);
});

test('an agent that breaks off is as none', async (t) => {
  const { config, socket, spool } = folder(t);
  const server = createServer((connection) => connection.on('data', () => connection.destroy())).listen(socket);
  await once(server, 'listening');
  t.after(() => server.close());
  const environment = { CNI_CONTAINERID: 'abc', CNI_IFNAME: 'eth0' };
  assert.equal(JSON.parse((await call({ ...environment, CNI_COMMAND: 'ADD' }, config())).stdout).code, 11);
  assert.equal((await call({ ...environment, CNI_COMMAND: 'DEL' }, config())).exitCode, 0);
  assert.equal(readdirSync(spool).length, 1);
});

test('the answer is printed as it came', async (t) => {
  const { config, socket } = folder(t);
  const stdout = `${'ü"\\'.repeat(50_000)}\n`;
  const server = createServer((connection) => {
    const chunks: Buffer[] = [];
    connection.on('data', (chunk: Buffer) => {
      chunks.push(chunk);
      if (decodeFrame(Buffer.concat(chunks)).kind === 'frame') connection.end(encodeAnswer({ exitCode: 7, stdout }));
    });
  }).listen(socket);
  await once(server, 'listening');
  t.after(() => server.close());
  const padded = JSON.stringify({ ...JSON.parse(config()), padding: 'x'.repeat(900_000) });
  assert.deepEqual(kept(await call({ CNI_COMMAND: 'ADD' }, padded)), { exitCode: 7, stdout });
});

test('hostile input is refused in bounded time', async (t) => {
  const { config } = folder(t);
  const rows: readonly {
    name: string;
    given: string | Uint8Array;
    environment?: NodeJS.ProcessEnv;
    expected: number;
  }[] = [
    { name: 'no command', given: config(), environment: {}, expected: 4 },
    { name: 'empty command', given: config(), environment: { CNI_COMMAND: '' }, expected: 4 },
    {
      name: 'a variable of 100 KB',
      given: config(),
      environment: { CNI_COMMAND: 'ADD', CNI_ARGS: 'x'.repeat(100_000) },
      expected: 4,
    },
    { name: '10 MB', given: Buffer.alloc(10 << 20, 'x'), expected: 6 },
    { name: '1 MiB and a byte', given: Buffer.alloc((1 << 20) + 1, ' '), expected: 6 },
    { name: 'a path too long', given: JSON.stringify({ agentSocket: `/${'x'.repeat(200)}` }), expected: 7 },
    { name: 'a spool path too long', given: JSON.stringify({ spoolDirectory: `/${'x'.repeat(300)}` }), expected: 7 },
    { name: 'an escaped path', given: '{"agentSocket":"/tmp/\\u0041"}', expected: 7 },
  ];
  for (const { name, given, environment = { CNI_COMMAND: 'ADD' }, expected } of rows) {
    await t.test(name, async () => {
      const { exitCode, stdout, ms } = await call(environment, given);
      assert.equal(exitCode, 1);
      assert.equal(JSON.parse(stdout).code, expected);
      assert.ok(ms < 5000);
    });
  }
});

/** Text that is no JSON reaches the agent unread, so here it ends at the socket that is not there. */
test('broken JSON never breaks the executable', async (t) => {
  const { socket } = folder(t);
  const good = `{"agentSocket":"${socket}","x":`;
  const tails = [
    '',
    '"',
    '"\\',
    '[[[[',
    '\0',
    '"\0"}',
    '}}}}]]',
    '\\"',
    '"agentSocket',
    '"\\u',
    '{"agentSocket":',
    '\xff\xfe',
  ];
  for (const tail of tails) {
    const { exitCode, stdout } = await call({ CNI_COMMAND: 'ADD' }, Buffer.from(good + tail, 'latin1'));
    assert.equal(exitCode, 1, tail);
    assert.equal(JSON.parse(stdout).code, 11, tail);
  }
});

async function call(env: NodeJS.ProcessEnv, stdin: string | Uint8Array, deadline?: AbortSignal): Promise<Outcome> {
  const begin = performance.now();
  const child = spawn(cniExecutable(), [], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  deadline?.addEventListener('abort', () => child.kill('SIGKILL'));
  const chunks: Buffer[] = [];
  child.stdout.on('data', (chunk: Buffer) => chunks.push(chunk));
  // It does not read more than it takes.
  child.stdin.on('error', () => undefined);
  child.stdin.end(stdin);
  const [exitCode] = await once(child, 'close');
  return { exitCode, stdout: Buffer.concat(chunks).toString(), ms: performance.now() - begin };
}

/** The first that takes less than a second: what the machine has else to do may make some slow, and never one quick. */
const quickCall = (env: NodeJS.ProcessEnv, stdin: string): Promise<Outcome> =>
  waitFor('a call that takes less than a second', async () => {
    const outcome = await call(env, stdin);
    return outcome.ms < 1000 && outcome;
  });

const kept = ({ exitCode, stdout }: Outcome) => ({ exitCode, stdout });

function folder(t: TestContext): { readonly socket: string; readonly spool: string; readonly config: () => string } {
  const path = mkdtempSync(join(tmpdir(), 'margay-shim-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  const [socket, spool] = [join(path, 'cni.sock'), join(path, 'state/spool')];
  mkdirSync(join(path, 'state'));
  const config = () =>
    JSON.stringify({ cniVersion: '1.0.0', name: 'margay', type: 'margay', agentSocket: socket, spoolDirectory: spool });
  return { socket, spool, config };
}

/** As a killed agent leaves it: the file is there, and nobody listens. */
async function leaveStaleSocket(path: string): Promise<void> {
  const script = `require('node:net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  await once(spawn(process.execPath, ['-e', script]), 'close');
  assert.ok(statSync(path).isSocket());
}
