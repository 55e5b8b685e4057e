import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LAST_APPLIED, mergeApplied } from './objects-merge.ts';

type Json = Readonly<Record<string, unknown>>;

const rows: readonly { name: string; last: Json; live?: Json; given: Json; expected: Json }[] = [
  {
    name: 'sets what the manifest says',
    last: { spec: { a: 1 } },
    given: { spec: { a: 2 } },
    expected: { spec: { a: 2 } },
  },
  {
    name: 'removes what it said before',
    last: { spec: { a: 1, b: 1 } },
    given: { spec: { a: 1 } },
    expected: { spec: { a: 1 } },
  },
  {
    name: 'keeps what others wrote',
    last: { spec: { a: 1 } },
    live: { spec: { a: 1, nodeName: 'n' }, status: { phase: 'Running' } },
    given: { spec: { a: 2 } },
    expected: { spec: { a: 2, nodeName: 'n' }, status: { phase: 'Running' } },
  },
  {
    name: 'keeps the status whatever the manifest says',
    last: { spec: {}, status: { phase: 'Old' } },
    live: { spec: {}, status: { phase: 'Running' } },
    given: { spec: {}, status: { phase: 'Pending' } },
    expected: { spec: {}, status: { phase: 'Running' } },
  },
  { name: 'replaces lists whole', last: { a: [1, 2] }, given: { a: [3] }, expected: { a: [3] } },
  {
    name: 'removes what is null',
    last: {},
    live: { spec: { a: 1, b: 2 } },
    given: { spec: { a: null } },
    expected: { spec: { b: 2 } },
  },
  { name: 'replaces an object by a value', last: { a: { b: 1 } }, given: { a: 1 }, expected: { a: 1 } },
];

for (const { name, last, live = last, given, expected } of rows) {
  test(`mergeApplied() ${name}`, () => {
    const applied = JSON.stringify(last);
    const merged = mergeApplied(given, { ...live, metadata: { annotations: { [LAST_APPLIED]: applied } } });
    const { metadata, ...rest } = merged;
    assert.deepEqual(rest, expected);
    assert.deepEqual(metadata, { annotations: { [LAST_APPLIED]: `${JSON.stringify(given)}\n` } });
  });
}

test('mergeApplied() of a new object keeps its status and nothing of another server', () => {
  const metadata = { name: 'a', uid: 'u', creationTimestamp: null, annotations: { [LAST_APPLIED]: 'old', b: 'c' } };
  const given = { metadata, status: { addresses: [] } };
  const applied = '{"metadata":{"name":"a","annotations":{"b":"c"}},"status":{"addresses":[]}}\n';
  const expected = {
    metadata: { name: 'a', annotations: { b: 'c', [LAST_APPLIED]: applied } },
    status: { addresses: [] },
  };
  assert.deepEqual(mergeApplied(given, undefined), expected);
});

test('mergeApplied() removes nothing when the annotation is not JSON', () => {
  const live = { metadata: { annotations: { [LAST_APPLIED]: '{' } }, spec: { a: 1 } };
  assert.deepEqual(mergeApplied({ spec: { b: 2 } }, live)['spec'], { a: 1, b: 2 });
});
