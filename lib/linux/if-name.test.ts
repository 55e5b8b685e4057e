import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testNetns } from '../../test/support/netns.ts';
import { parseIfName } from './if-name.ts';

test('parseIfName() takes what names one link', () => {
  for (const given of ['eth0', 'a', 'veth-0_1.100', 'eth0@if7', 'ALL', '...', '(){}[]<>*+,;=?', '0123456789abcde']) {
    assert.deepEqual(parseIfName(given), { ok: true, value: given });
  }
  const refused = [
    '',
    '.',
    '..',
    'a b',
    'a\tb',
    'a/b',
    'a:b',
    'ü',
    '0123456789abcdef',
    'eth%d',
    'eth%',
    'all',
    'default',
  ];
  for (const given of [...refused, 'a"b', "a'b", 'a`b', 'a\\b']) assert.equal(parseIfName(given).ok, false, given);
});

test('the kernel makes another name of a percent sign, and refuses those of its parameters', async (t) => {
  const { exec } = await testNetns(t, 'names');
  await exec('ip', 'link', 'add', 'x%d', 'type', 'bridge');
  assert.match(await exec('ip', '-o', 'link'), / x0: /);
  for (const name of ['all', 'default']) await assert.rejects(exec('ip', 'link', 'add', name, 'type', 'bridge'));
});
