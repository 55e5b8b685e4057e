import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parsePeerAddress } from './peer-address.ts';

const ROWS = [
  { given: '198.51.100.1', expected: { address: '198.51.100.1', port: 179 } },
  { given: '198.51.100.1:1179', expected: { address: '198.51.100.1', port: 1179 } },
  { given: 'FD00::1', expected: { address: 'fd00::1', port: 179 } },
  { given: '[fd00::1]', expected: { address: 'fd00::1', port: 179 } },
  { given: '[fd00::1]:1179', expected: { address: 'fd00::1', port: 1179 } },
  { given: '198.51.100.1:0', expected: undefined },
  { given: '198.51.100.1:65536', expected: undefined },
  { given: '198.51.100.1/24', expected: undefined },
  { given: 'tor:179', expected: undefined },
  { given: '', expected: undefined },
];

for (const { given, expected } of ROWS) {
  test(`parsePeerAddress() ${JSON.stringify(given)}`, () => {
    const parsed = parsePeerAddress(given);
    assert.deepEqual(parsed.ok ? parsed.value : undefined, expected);
  });
}
