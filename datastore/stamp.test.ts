import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unwrap } from '../lib/result.ts';
import type { Resource } from './resources/index.ts';
import { parseResource } from './resources/parse.ts';
import { stampCreated, stampUpdated } from './stamp.ts';

const stamp = { now: () => '2030-01-01T00:00:00Z', newUid: () => 'u2' };
const SERVER = { uid: 'u1', creationTimestamp: '2029-01-01T00:00:00Z', generation: 3, resourceVersion: '7' };
const node = (metadata: object, rest: object = {}): Resource =>
  unwrap(parseResource({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n', ...metadata }, ...rest }));

test('stampCreated() decides uid, creation time and generation itself', () => {
  const given = node({ uid: 'mine', creationTimestamp: 'once', generation: 9 });
  const { name, ...expected } = { name: 'n', uid: 'u2', creationTimestamp: '2030-01-01T00:00:00Z', generation: 1 };
  assert.deepEqual(stampCreated(given, stamp).metadata, { name, ...expected });
});

test('stampCreated() labels a namespace with its name', () => {
  const given = unwrap(
    parseResource({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', labels: { a: 'b' } } }),
  );
  const labels = { a: 'b', 'kubernetes.io/metadata.name': 'shop' };
  assert.deepEqual(stampCreated(given, stamp).metadata.labels, labels);
});

const rows = [
  { name: 'nothing', given: node({}), changed: false, generation: 3 },
  { name: 'another resource version', given: node({ resourceVersion: '6' }), changed: false, generation: 3 },
  { name: 'a label', given: node({ labels: { a: 'b' } }), changed: true, generation: 3 },
  { name: 'the status', given: node({}, { status: { ready: true } }), changed: true, generation: 3 },
  { name: 'the spec', given: node({}, { spec: { podCIDR: 'x' } }), changed: true, generation: 4 },
] as const;

for (const { name, given, changed, generation } of rows) {
  test(`stampUpdated() sees a change of ${name}`, () => {
    const stamped = stampUpdated(given, node(SERVER), stamp);
    assert.equal(stamped.changed, changed);
    const { uid, creationTimestamp, resourceVersion } = stamped.next.metadata;
    assert.deepEqual({ uid, creationTimestamp, generation: 3, resourceVersion }, SERVER);
    assert.equal(stamped.next.metadata.generation, generation);
  });
}
