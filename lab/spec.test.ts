// Names, counts and addresses of labs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { labSpecSchema, parseLabName, parseNodeCount, parseTorKind, planLab } from './spec.ts';

const names = [
  { name: 'letters and digits', given: 'demo1', expected: true },
  { name: 'twelve characters', given: 'abcdefghijkl', expected: true },
  { name: 'thirteen characters', given: 'abcdefghijklm', expected: false },
  { name: 'nothing', given: '', expected: false },
  { name: 'a dash, which separates the parts of a namespace name', given: 'a-b', expected: false },
  { name: 'a path', given: '../etc', expected: false },
  { name: 'upper case', given: 'Demo', expected: false },
];
for (const { name, given, expected } of names) {
  test(`parseLabName() ${expected ? 'takes' : 'refuses'} ${name}`, () =>
    assert.equal(parseLabName(given).ok, expected));
}

const counts = [
  { given: '1', expected: 1 },
  { given: '100', expected: 100 },
  { given: '0', expected: undefined },
  { given: '101', expected: undefined },
  { given: '-1', expected: undefined },
  { given: '2.5', expected: undefined },
  { given: '', expected: undefined },
];
for (const { given, expected } of counts) {
  test(`parseNodeCount() of "${given}"`, () => {
    const result = parseNodeCount(given);
    assert.equal(result.ok ? result.value : undefined, expected);
  });
}

test('parseTorKind() names what it knows', () => {
  assert.deepEqual(parseTorKind('frr'), { ok: true, value: 'frr' });
  assert.deepEqual(parseTorKind('quagga'), {
    ok: false,
    error: 'Cannot use ToR "quagga": unknown, expected bird, frr, gobgp',
  });
});

test('planLab() gives addresses that survive lab.json', () => {
  const spec = planLab({ name: 'demo', nodes: 2, tor: 'bird' }, { pid: 1, startTime: '2' });
  assert.deepEqual(
    spec.nodes.map(({ name, address }) => `${name} ${address}`),
    ['node1 198.51.100.11', 'node2 198.51.100.12'],
  );
  assert.equal(spec.tor.address, '198.51.100.1');
  assert.deepEqual(labSpecSchema.parse(JSON.parse(JSON.stringify(spec))), spec);
});
