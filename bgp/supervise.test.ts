import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { waitFor } from '../lib/wait-for.ts';
import { gobgpds } from '../test/support/gobgpds.ts';
import { testNetns } from '../test/support/netns.ts';
import { createRpc } from './driver/rpc.ts';
import { whichGeneration } from './driver/which-generation.ts';
import { gobgpdCommand } from './gobgpd.ts';
import { restartGobgpd } from './restart-gobgpd.ts';

const SCRIPT = join(import.meta.dirname, 'supervise.sh');
const WAIT = { timeoutMs: 30_000 };

for (const { generation, program = 'gobgpd' } of await gobgpds())
  test(`supervise.sh keeps gobgpd ${generation} running and ends it`, async (t) => {
    const { netns, paths, supervise: start } = await setup(t);
    const supervise = () => start({ GOBGPD: program });
    writeFileSync(paths.socket, 'left by a gobgpd that was killed');
    const first = supervise();
    await answers(paths.socket);
    assert.equal(await netns.exec('ss', '-Hlntu'), '', 'its API is the unix socket alone');
    assert.equal(statSync(paths.socket).mode & 0o077, 0, 'nobody else may use the socket');
    const pid = await running(paths);

    await t.test('a killed gobgpd is started again', async () => {
      process.kill(pid, 'SIGKILL');
      await running(paths, pid);
      await answers(paths.socket);
    });

    await t.test('one that has to start anew is ended by its socket, and nothing else is', async () => {
      const before = await running(paths);
      assert.equal(restartGobgpd(paths.socket), undefined);
      await running(paths, before);
      await answers(paths.socket);
      const other = join(paths.folder, 'other.sock');
      assert.match(restartGobgpd(other) ?? '', /"[^"]+other\.pid" names no process/);
      writeFileSync(join(paths.folder, 'other.pid'), String(process.pid));
      assert.match(restartGobgpd(other) ?? '', /does not serve "[^"]+other\.sock"/);
      rmSync(join(paths.folder, 'other.pid'));
    });

    await t.test('a gobgpd that outlived its supervisor is taken over', async () => {
      const before = await running(paths);
      await ended(first, 'SIGKILL');
      await answers(paths.socket);
      const second = supervise();
      const log = (): string => readFileSync(paths.log, 'utf8');
      await waitFor('the takeover', () => log().includes(`Took over gobgpd ${before}\n`), WAIT);
      assert.equal(pidIn(paths.pid), before);
      assert.ok(isAlive(before));
      assert.equal(await ended(second, 'SIGTERM'), 0);
      await waitFor('its end', () => !isAlive(before), WAIT);
      assert.ok(!existsSync(paths.socket) && !existsSync(paths.pid));
    });
  });

test('supervise.sh waits for a gobgpd that cannot be started, and says so once', async (t) => {
  const { paths, supervise } = await setup(t);
  const program = join(paths.folder, 'gobgpd');
  const supervisor = supervise({ GOBGPD: program });
  const log = (): string => (existsSync(paths.log) ? readFileSync(paths.log, 'utf8') : '');
  await waitFor('the complaint', () => log() !== '', WAIT);
  // One that starts and ends at once is the same trouble still.
  symlinkSync('/bin/false', program);
  await waitFor('an attempt', () => existsSync(paths.pid), WAIT);
  rmSync(program);
  symlinkSync('/usr/bin/gobgpd', program);
  await answers(paths.socket);
  assert.deepEqual(
    log()
      .split('\n')
      .filter((line) => line.startsWith('Cannot')),
    [`Cannot start gobgpd "${program}": there is no such program, expected gobgpd 3.x or 4.x; trying again`],
  );
  assert.equal(await ended(supervisor, 'SIGTERM'), 0);
});

async function setup(t: TestContext) {
  const netns = await testNetns(t, 'sup');
  const folder = mkdtempSync(join(tmpdir(), 'mgy-sup-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const paths = {
    folder,
    socket: join(folder, 'gobgp.sock'),
    pid: join(folder, 'gobgpd.pid'),
    beside: join(folder, 'gobgp.pid'),
    log: join(folder, 'gobgpd.log'),
  };
  const { args, env } = gobgpdCommand({ socketPath: paths.socket });
  const supervise = (more: Readonly<Record<string, string>> = {}): ChildProcess =>
    netns.spawn('sh', [SCRIPT, paths.socket, paths.pid, paths.log, ...args], {
      env: { ...process.env, ...env, ...more },
      stdio: 'ignore',
    });
  return { netns, paths, supervise };
}

async function answers(socketPath: string): Promise<void> {
  const rpc = createRpc(socketPath);
  try {
    await waitFor(
      'gobgpd to answer',
      () =>
        whichGeneration(rpc).then(
          () => true,
          () => false,
        ),
      WAIT,
    );
  } finally {
    rpc.close();
  }
}

const pidIn = (file: string): number => Number(existsSync(file) && readFileSync(file, 'utf8'));

/** Process id of the gobgpd, another one than `before`. It is written after the start, and gobgpd may answer sooner. */
const running = (paths: { readonly pid: string; readonly beside: string }, before?: number): Promise<number> =>
  waitFor(
    'the process id of gobgpd',
    () => {
      const pid = pidIn(paths.pid);
      return pid > 0 && pid !== before && pid === pidIn(paths.beside) && isAlive(pid) && pid;
    },
    WAIT,
  );

function isAlive(pid: number): boolean {
  try {
    return !/^State:\s+[ZX]/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false; // It is gone.
  }
}

function ended(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<number | null> {
  return new Promise((resolve) => {
    child.once('exit', resolve);
    child.kill(signal);
  });
}
