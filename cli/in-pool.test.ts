import assert from 'node:assert/strict';
import { test } from 'node:test';
import { inPool } from './in-pool.ts';

test('inPool() runs no more than its width, and loses no result', async () => {
  const waiting: (() => void)[] = [];
  let running = 0;
  let most = 0;
  const job = async (item: number): Promise<number> => {
    most = Math.max(most, ++running);
    const { promise, resolve } = Promise.withResolvers<void>();
    waiting.push(resolve);
    // Whenever two wait, both end in the same turn.
    if (waiting.length === 2 || item === 5) for (const end of waiting.splice(0)) end();
    await promise;
    running--;
    return item;
  };
  const results: number[] = [];
  for await (const result of inPool([1, 2, 3, 4, 5], 2, job)) results.push(result);
  assert.deepEqual(
    results.toSorted((a, b) => a - b),
    [1, 2, 3, 4, 5],
  );
  assert.equal(most, 2);
});
