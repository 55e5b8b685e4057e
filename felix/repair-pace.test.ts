import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRepairPace } from './repair-pace.ts';

test('the first repairs come at once, and a fight slows down to one a second', () => {
  const pace = createRepairPace();
  const delays: number[] = [];
  let now = 5_000_000;
  for (let i = 0; i < 30; i++) {
    const delay = pace.delayMs(now);
    delays.push(delay);
    now += delay;
    pace.looked({ began: now, now, repaired: true });
  }
  assert.deepEqual(delays.slice(0, 10), Array(10).fill(20));
  assert.deepEqual(delays.slice(12).map(Math.round), Array(18).fill(1000));
  now += 60_000;
  assert.equal(pace.delayMs(now), 20, 'after a time of peace');
});

test('looking takes a small share of the time, even when there is nothing to repair', () => {
  const pace = createRepairPace();
  pace.looked({ began: 1000, now: 1100, repaired: false });
  assert.equal(pace.delayMs(1100), 400);
  assert.equal(pace.delayMs(1500), 20);
});
