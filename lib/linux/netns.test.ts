import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { testNetns } from '../../test/support/netns.ts';
import { inNetns, isOwnNetns } from './netns.ts';
import { hasSysctl, readSysctl, writeSysctl } from './sysctl.ts';

const own = () => readlinkSync('/proc/thread-self/ns/net');

test('inNetns() is inside for the time of the function only', async (t) => {
  const { path } = await testNetns(t);
  const before = own();
  const inside = inNetns(path, own);
  assert.notEqual(inside, before);
  assert.equal(own(), before);
  assert.throws(() => inNetns(path, () => assert.fail('inner')), /inner/);
  assert.equal(own(), before);
  assert.equal(isOwnNetns(path), false);
  assert.equal(
    inNetns(path, () => isOwnNetns(path)),
    true,
  );
  assert.equal(isOwnNetns('/proc/self/ns/net'), true);
  assert.equal(isOwnNetns('/nowhere'), false);
});

test('inNetns() refuses what is not a network namespace', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'netns-'));
  t.after(() => rmSync(folder, { recursive: true }));
  writeFileSync(join(folder, 'file'), '');
  execFileSync('mkfifo', [join(folder, 'fifo')]);
  const rows = [
    { name: 'missing', given: join(folder, 'missing'), expected: 'ENOENT' },
    { name: 'a file', given: join(folder, 'file'), expected: 'EINVAL' },
    { name: 'a folder', given: folder, expected: 'EINVAL' },
    { name: 'a pipe without writer', given: join(folder, 'fifo'), expected: 'EINVAL' },
    { name: 'another kind of namespace', given: '/proc/self/ns/mnt', expected: 'EINVAL' },
    { name: 'a device', given: '/dev/zero', expected: 'EINVAL' },
    { name: 'below a file', given: join(folder, 'file', 'x'), expected: 'ENOTDIR' },
  ];
  for (const { name, given, expected } of rows) {
    await t.test(name, () => {
      assert.throws(() => inNetns(given, () => assert.fail('entered')), { name: 'KernelError', code: expected });
    });
  }
});

test('writeSysctl() writes only what differs, in the namespace it is called in', async (t) => {
  const { path } = await testNetns(t);
  const key = ['net', 'ipv4', 'conf', 'lo', 'proxy_arp'];
  const outside = readSysctl(key);
  inNetns(path, () => {
    assert.equal(writeSysctl(key, '1'), true);
    assert.equal(writeSysctl(key, '1'), false);
    assert.equal(readSysctl(key), '1');
  });
  assert.equal(readSysctl(key), outside);
  assert.equal(hasSysctl(['net', 'ipv4', 'conf', 'nothing', 'proxy_arp']), false);
  assert.throws(() => readSysctl(['net', 'ipv4', 'conf', 'nothing', 'proxy_arp']), { code: 'ENOENT' });
  assert.throws(() => readSysctl(['net', '..', 'kernel']), /expected a file name/);
});
