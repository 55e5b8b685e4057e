// Pods and ports as users write them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePodName, parsePort } from './pods.ts';

const ports = [
  { given: '80', expected: { port: 80, protocol: 'TCP' } },
  { given: '80/tcp', expected: { port: 80, protocol: 'TCP' } },
  { given: '53/UDP', expected: { port: 53, protocol: 'UDP' } },
  { given: '65535/tcp', expected: { port: 65535, protocol: 'TCP' } },
  { given: '0', expected: undefined },
  { given: '65536', expected: undefined },
  { given: '80/sctp', expected: undefined },
  { given: 'http', expected: undefined },
  { given: '', expected: undefined },
];
for (const { given, expected } of ports) {
  test(`parsePort() of "${given}"`, () => {
    const result = parsePort(given);
    assert.deepEqual(result.ok ? result.value : undefined, expected);
  });
}

test('parsePodName() takes the namespace from the name first', () => {
  assert.deepEqual(parsePodName('shop/web', 'default'), { namespace: 'shop', name: 'web' });
  assert.deepEqual(parsePodName('web', 'default'), { namespace: 'default', name: 'web' });
});

for (const given of ['a/b/c', 'shop/', '/web', '']) {
  test(`parsePodName() refuses "${given}"`, () => {
    const message = `Cannot read pod "${given}": expected NAME or NAMESPACE/NAME`;
    assert.throws(() => parsePodName(given, 'default'), { message });
  });
}
