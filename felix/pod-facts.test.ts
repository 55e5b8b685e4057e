import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Resource, resourceKey } from '../datastore/resources/index.ts';
import { parseResource } from '../datastore/resources/parse.ts';
import { unwrap } from '../lib/result.ts';
import { podFacts } from './pod-facts.ts';

const pod = (uid: string): Resource =>
  unwrap(
    parseResource({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: 'shop', name: 'web', uid, annotations: { a: uid } },
      spec: {},
    }),
  );
const namespace = unwrap(
  parseResource({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop', annotations: { b: '1' } } }),
);

test('podFacts() knows pods by name and uid, and waits a little for them', async (t) => {
  const world = new Map([
    [resourceKey('Pod', 'shop', 'web'), pod('u1')],
    [resourceKey('Namespace', undefined, 'shop'), namespace],
  ]);
  const known = { podAnnotations: { a: 'u1' }, namespaceAnnotations: { b: '1' } };
  const ofNamespace = { ...known, podAnnotations: {} };
  const rows = [
    { name: 'without a uid', given: {}, expected: known },
    { name: 'the same uid', given: { uid: 'u1' }, expected: known },
    { name: 'an earlier pod of this name', given: { uid: 'u2' }, expected: ofNamespace },
    { name: 'another name', given: { pod: 'db' }, expected: ofNamespace },
    { name: 'another namespace', given: { namespace: 'ops' }, expected: undefined },
  ];
  for (const { name, given, expected } of rows) {
    await t.test(name, async () => {
      const asked = { namespace: 'shop', pod: 'web', ...given };
      assert.deepEqual(await podFacts((key) => world.get(key), asked), expected);
    });
  }
  let calls = 0;
  const late = await podFacts((key) => (++calls > 1 ? world.get(key) : undefined), { namespace: 'shop', pod: 'web' });
  assert.deepEqual(late, known);
});
