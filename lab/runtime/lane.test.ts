// Work in a lane of bounded width.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLane } from './lane.ts';

test('createLane() never runs more than its width, in order, and tells when it is idle', async () => {
  const lane = createLane(2);
  const gates = [0, 1, 2, 3].map(() => Promise.withResolvers<number>());
  const started: number[] = [];
  const results = gates.map(({ promise }, index) =>
    lane.run(() => {
      started.push(index);
      return promise;
    }),
  );
  let isIdle = false;
  const idle = lane.idle().then(() => {
    isIdle = true;
  });
  assert.deepEqual(started, [0, 1]);
  gates[1]?.resolve(1);
  await results[1];
  await Promise.resolve();
  assert.deepEqual(started, [0, 1, 2]);
  assert.equal(isIdle, false);
  for (const [index, { resolve }] of gates.entries()) resolve(index);
  assert.deepEqual(await Promise.all(results), [0, 1, 2, 3]);
  await idle;
});

test('createLane() goes on after a failure', async () => {
  const lane = createLane(1);
  const first = lane.run(() => Promise.reject(new Error('broken')));
  const second = lane.run(async () => 'fine');
  await assert.rejects(first, /broken/);
  assert.equal(await second, 'fine');
  await lane.idle();
});
