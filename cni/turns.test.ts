import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTurns } from './turns.ts';

test('createTurns() lets the first one in at once, and the others one in each turn of the loop, in order', async () => {
  const turn = createTurns();
  const seen: string[] = [];
  const calls = ['a', 'b', 'c'].map(async (name) => {
    await turn();
    seen.push(name);
  });
  let isOver = false;
  const count = (): void => {
    seen.push('|');
    if (!isOver) setImmediate(count);
  };
  setImmediate(count);
  await Promise.all(calls);
  isOver = true;
  assert.match(seen.join(''), /^a\|*b\|+c/);
  assert.deepEqual(
    seen.filter((name) => name !== '|'),
    ['a', 'b', 'c'],
  );
  await turn();
});
