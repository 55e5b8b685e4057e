import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKeyedTable } from './keyed-table.ts';

const table = () => createKeyedTable<string, number>((a, b) => a === b);

test('set() dirties a key only when its value changes', () => {
  const t = table();
  t.set('a', 1);
  t.set('b', 2);
  assert.deepEqual([...t.takeDirty()], ['a', 'b']);
  t.set('a', 1);
  t.set('c', undefined);
  assert.deepEqual([...t.takeDirty()], []);
  t.set('a', undefined);
  assert.deepEqual([...t.takeDirty()], ['a']);
  assert.deepEqual([...t.entries()], [['b', 2]]);
});

test('replaceAll() dirties what came, went and changed', () => {
  const t = table();
  t.replaceAll(new Map(Object.entries({ keep: 1, change: 2, go: 3 })));
  t.takeDirty();
  t.replaceAll(new Map(Object.entries({ keep: 1, change: 4, come: 5 })));
  assert.deepEqual([...t.takeDirty()].sort(), ['change', 'come', 'go']);
});

test('markDirty() hands a key out again', () => {
  const t = table();
  t.set('a', 1);
  t.takeDirty();
  t.markDirty('a');
  assert.deepEqual([...t.takeDirty()], ['a']);
});
