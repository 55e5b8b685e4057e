// `get` and `delete` over a datastore with objects that cannot be read, as one that a newer version wrote.
import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { ipamWorld, ipPool } from '../test/support/ipam-world.ts';
import { margay } from '../test/support/margay-cli.ts';

test('lists name what they cannot read, and delete --all takes it too', async (t) => {
  const pools = ['a', 'b', 'c'].map((name, i) => ipPool(name, `10.24${i}.0.0/16`));
  const world = await ipamWorld(t, pools, ['one', 'two']);
  world.damage('IPPool/b');
  const run = (...words: readonly string[]) => margay([...words, '--datastore', join(world.directory, 'store.db')]);
  const told = /^margay: Cannot read IPPool "b": .+\n$/;

  const listed = run('get', 'ippools', '-o', 'name');
  assert.deepEqual([listed.status, listed.stdout.trim().split('\n').length], [1, 2]);
  assert.match(listed.stderr, told);
  const nodes = run('get', 'nodes', '-o', 'name');
  assert.deepEqual([nodes.status, nodes.stderr], [0, '']);

  const selected = run('delete', 'ippools', '-l', 'tier!=old');
  assert.equal(selected.status, 1);
  assert.match(selected.stdout, /"a" deleted\n.*"c" deleted\n$/);
  assert.match(selected.stderr, told);

  const all = run('delete', 'ippools', '--all');
  assert.deepEqual([all.status, all.stderr], [0, '']);
  assert.match(all.stdout, /"b" deleted\n$/);
  assert.equal(run('get', 'ippools').stderr, 'No resources found\n');
});
