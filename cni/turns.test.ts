import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTurns } from './turns.ts';

for (const { together, expected } of [
  { together: 1, expected: /^a\|*b\|+c\|+d/ },
  { together: 2, expected: /^a\|*bc\|+d/ },
  { together: 9, expected: /^a\|*bcd/ },
]) {
  test(`createTurns() lets the first one in at once, and ${together} in each turn of the loop, in order`, async () => {
    const turn = createTurns(together);
    const seen: string[] = [];
    const calls = ['a', 'b', 'c', 'd'].map(async (name) => {
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
    assert.match(seen.join(''), expected);
    await turn();
  });
}
