import assert from 'node:assert/strict';
import { test } from 'node:test';
import { listVersion } from './list-version.ts';

const OURS = ['0.3.1', '0.4.0', '1.0.0', '1.1.0'];
/** What the reference plugins answered until their version 1.5, and since. */
const OLD = ['0.1.0', '0.2.0', '0.3.0', '0.3.1', '0.4.0', '1.0.0'];
const NEW = [...OLD, '1.1.0'];

const plugins = (...others: readonly (readonly string[])[]): ReadonlyMap<string, readonly string[]> =>
  new Map([['margay', OURS] as const, ...others.map((each, n) => [`p${n}`, each] as const)]);

test('listVersion()', async (t) => {
  const rows = [
    { name: 'alone: 1.1.0 for runtimes that know it', given: [], expected: { cniVersion: '1.0.0', cniVersions: OURS } },
    { name: 'before new plugins: the same', given: [NEW, NEW], expected: { cniVersion: '1.0.0', cniVersions: OURS } },
    { name: 'before an old plugin: the highest of both', given: [NEW, OLD], expected: { cniVersion: '1.0.0' } },
    { name: 'before a very old one', given: [['0.2.0', '0.3.1']], expected: { cniVersion: '0.3.1' } },
    { name: 'before one that knows 1.1.0 alone', given: [['1.1.0', '2.0.0']], expected: { cniVersion: '1.1.0' } },
  ];
  for (const { name, given, expected } of rows) {
    await t.test(name, () => assert.deepEqual(listVersion(plugins(...given)), expected));
  }
  await t.test('the wanted one, and no other', () => {
    assert.deepEqual(listVersion(plugins(), '1.1.0'), { cniVersion: '1.1.0' });
    assert.deepEqual(listVersion(plugins(OLD), '0.4.0'), { cniVersion: '0.4.0' });
  });
  await t.test('what a plugin does not support is refused by its name', () => {
    assert.throws(
      () => listVersion(plugins(['0.4.0', '1.0.0']), '1.1.0'),
      /^Error: Cannot use CNI version "1\.1\.0": margay supports .*; p0 supports 0\.4\.0, 1\.0\.0, expected one/,
    );
    assert.throws(
      () => listVersion(plugins(['0.2.0'])),
      /Cannot find a CNI version for the list: .*p0 supports 0\.2\.0/,
    );
  });
});
