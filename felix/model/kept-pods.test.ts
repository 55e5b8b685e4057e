import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resourceKey } from '../../datastore/resources/index.ts';
import { world } from '../../test/policy/world-builder.ts';
import type { KeptPod } from './kept-pod.ts';
import { createKeptPods } from './kept-pods.ts';
import { createPool } from './pool.ts';

const kept = (name: string, app: string): KeptPod => {
  const [facts] = world({ pods: { [`n/${name}`]: { labels: { app }, ips: [], ports: ['http=tcp/80'] } } }).pods;
  if (facts === undefined) throw new Error('Cannot happen');
  return { kind: 'KeptPod', facts };
};
const keyOf = (name: string) => resourceKey('Pod', 'n', name);

test('createKeptPods() keeps pods as they are, and their equal parts once', () => {
  const pods = createKeptPods();
  const [a, b] = [kept('a', 'web'), kept('b', 'web')];
  assert.deepEqual(pods.set(keyOf('a'), a), a);
  assert.deepEqual(pods.set(keyOf('b'), b), b);
  assert.equal(pods.get(keyOf('b'))?.facts.labels, a.facts.labels);
  assert.equal(pods.get(keyOf('b'))?.facts.ports, a.facts.ports);
  pods.set(keyOf('a'), kept('a', 'db'));
  assert.deepEqual(
    [...pods.values()].map(({ facts }) => facts.labels),
    [{ app: 'db' }, { app: 'web' }],
  );
  pods.delete(keyOf('a'));
  pods.delete(keyOf('a'));
  assert.deepEqual([...pods.values()], [b]);
});

test('createPool() forgets what nobody owns any more', () => {
  const pool = createPool<object>();
  const [first, second] = [{}, {}];
  assert.equal(pool.acquire('x', first), first);
  assert.equal(pool.acquire('x', second), first);
  pool.release('x');
  assert.equal(pool.acquire('x', second), first);
  pool.release('x');
  pool.release('x');
  pool.release('x');
  assert.equal(pool.acquire('x', second), second);
});
