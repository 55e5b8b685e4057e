import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { handleOf, partsOf } from './handle.ts';

const rows = [
  {
    name: 'plain parts are joined by dots',
    given: { network: 'k8s-pod-network', containerId: '0a1b', ifName: 'eth0' },
    expected: 'k8s-pod-network.0a1b.eth0',
  },
  {
    name: 'a dot in the network name does not move the border',
    given: { network: 'a.b', containerId: 'c', ifName: 'eth0' },
    expected: 'a%2Eb.c.eth0',
  },
  {
    name: 'the interface name is kept as it is',
    given: { network: 'a', containerId: 'b', ifName: 'eth0.100' },
    expected: 'a.b.eth0.100',
  },
];

for (const { name, given, expected } of rows) {
  test(`handleOf() ${name}`, () => assert.equal(handleOf(given), expected));
}

test('partsOf() gives back what handleOf() was given', () => {
  const part = fc.string({ unit: fc.constantFrom('a', '.', '%', '2', '5', 'E'), minLength: 1, maxLength: 6 });
  const attachee = fc.record({ network: part, containerId: part, ifName: part });
  fc.assert(fc.property(attachee, (given) => assert.deepEqual(partsOf(handleOf(given)), { ...given })));
});

test('handleOf() gives different attachments different handles', () => {
  const part = fc.string({ unit: fc.constantFrom('a', '.', '%', '2', 'E'), minLength: 1, maxLength: 5 });
  const attachee = fc.record({ network: part, containerId: part, ifName: part });
  fc.assert(
    fc.property(attachee, attachee, (a, b) => {
      assert.equal(handleOf(a) === handleOf(b), JSON.stringify(a) === JSON.stringify(b));
    }),
  );
});
