import assert from 'node:assert/strict';
import { test } from 'node:test';
import { nodeObject } from '../../test/support/bgp-world.ts';
import { parseNodeSelector } from './node-selector.ts';

const NODE = {
  ...nodeObject('n1', '198.51.100.1'),
  metadata: { name: 'n1', labels: { rack: 'a', 'node-role.kubernetes.io/edge': '', odd: 'x' } },
};

const ROWS: readonly { readonly given: string | undefined; readonly expected: boolean | 'error' }[] = [
  { given: undefined, expected: true },
  { given: ' ', expected: true },
  { given: 'all()', expected: true },
  { given: 'has(rack)', expected: true },
  { given: 'has(node-role.kubernetes.io/edge)', expected: true },
  { given: 'has(toString)', expected: false },
  { given: "rack == 'a'", expected: true },
  { given: 'rack=="a"', expected: true },
  { given: "rack == 'b'", expected: false },
  { given: "missing == ''", expected: false },
  { given: "has(rack) && odd == 'x' && all()", expected: true },
  { given: "has(rack) && odd == 'y'", expected: false },
  { given: "rack == 'a && b'", expected: false },
  { given: "rack != 'a'", expected: 'error' },
  { given: "rack in {'a'}", expected: 'error' },
  { given: 'has(rack) || has(odd)', expected: 'error' },
  { given: '!has(rack)', expected: 'error' },
  { given: 'has(rack) &&', expected: 'error' },
  { given: '&& has(rack)', expected: 'error' },
  { given: 'has(rack) has(odd)', expected: 'error' },
  { given: "rack == 'a", expected: 'error' },
  { given: 'rack', expected: 'error' },
];

for (const { given, expected } of ROWS) {
  test(`parseNodeSelector() ${given ?? 'absent'} → ${expected}`, () => {
    const parsed = parseNodeSelector(given);
    assert.equal(parsed.ok ? parsed.value(NODE) : 'error', expected);
  });
}
