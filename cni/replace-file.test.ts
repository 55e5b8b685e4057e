import assert from 'node:assert/strict';
import fs, {
  fstatSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { removeFile, replaceFile } from './replace-file.ts';

test('content and name are on disk, in this order', (t) => {
  const path = join(folderFor(t), 'file');
  const steps: string[] = [];
  const { fsyncSync, renameSync } = fs;
  watch(t, 'fsyncSync', (fd: number) => {
    steps.push(`sync ${readlinkSync(`/proc/self/fd/${fd}`)}`);
    fsyncSync(fd);
  });
  watch(t, 'renameSync', (from: string, to: string) => {
    steps.push(`rename ${from} ${to}`);
    renameSync(from, to);
  });
  replaceFile(path, () => Buffer.from('new'), 0o644);
  const temporary = join(path, '..', `.margay-${process.pid}`);
  assert.deepEqual(steps, [`sync ${temporary}`, `rename ${temporary} ${path}`, `sync ${join(path, '..')}`]);
  assert.equal(readFileSync(path, 'utf8'), 'new');
});

test('the mode is the wanted one, whatever the umask, and nobody else can open what is being written', (t) => {
  const before = process.umask();
  t.after(() => process.umask(before));
  const { fchmodSync } = fs;
  const modes: number[] = [];
  watch(t, 'fchmodSync', (fd: number, mode: number) => {
    modes.push(fstatSync(fd).mode);
    fchmodSync(fd, mode);
  });
  for (const umask of [0, 0o077, 0o777]) {
    process.umask(umask);
    const folder = folderFor(t);
    const path = join(folder, 'new', 'file');
    replaceFile(path, () => Buffer.from('x'), 0o755);
    assert.equal(statSync(path).mode & 0o7777, 0o755);
    assert.equal(statSync(join(folder, 'new')).mode & 0o7022, 0);
  }
  assert.deepEqual(
    modes.map((mode) => mode & 0o7077),
    [0, 0, 0],
  );
});

test('what is not what was meant does not get the name', (t) => {
  const folder = folderFor(t);
  const path = join(folder, 'file');
  writeFileSync(path, 'old');
  // Another content at each reading.
  const source = () => readFileSync('/proc/sys/kernel/random/uuid');
  assert.throws(() => replaceFile(path, source, 0o755), /Cannot write ".*file": SHA-256 is [0-9a-f]{64}, expected/);
  assert.equal(readFileSync(path, 'utf8'), 'old');
  assert.deepEqual(readdirSync(folder), ['file']);
});

test('removeFile() takes what killed processes left of it, and nothing else', (t) => {
  const folder = folderFor(t);
  for (const name of ['file', '.margay-12345', 'margay-6', 'other']) writeFileSync(join(folder, name), '');
  removeFile(join(folder, 'file'));
  removeFile(join(folder, 'file'));
  removeFile(join(folder, 'never', 'was'));
  assert.deepEqual(readdirSync(folder), ['margay-6', 'other']);
});

/** `call` makes the call itself: nothing is replaced. */
function watch(
  t: TestContext,
  name: 'fsyncSync' | 'renameSync' | 'fchmodSync',
  call: (...args: never[]) => void,
): void {
  t.mock.method(fs, name, call);
  syncBuiltinESMExports();
  t.after(() => {
    t.mock.restoreAll();
    syncBuiltinESMExports();
  });
}

function folderFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'margay-replace-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
