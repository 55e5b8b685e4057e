import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  compareIp,
  type Family,
  familyBits,
  ipFromBigInt,
  ipFromBytes,
  ipToBigInt,
  ipToBytes,
  ipv4FromNumber,
  ipv4ToNumber,
  parseIp,
} from './ip.ts';
import { unwrap } from './result.ts';

const CASES = [
  { name: 'IPv4', given: '10.244.0.7', expected: '10.244.0.7' },
  { name: 'IPv6 in full', given: '2001:0DB8:0:0:0:0:0:1', expected: '2001:db8::1' },
  { name: 'first of two equal zero runs', given: '1:0:0:2:0:0:3:4', expected: '1::2:0:0:3:4' },
  { name: 'longest zero run', given: '1:0:0:2:0:0:0:4', expected: '1:0:0:2::4' },
  { name: 'a single zero group stays', given: '1:0:2:3:4:5:6:7', expected: '1:0:2:3:4:5:6:7' },
  { name: 'unspecified', given: '::', expected: '::' },
  { name: 'embedded IPv4', given: '64:ff9b::1.2.3.4', expected: '64:ff9b::102:304' },
  { name: 'leading zero', given: '10.0.0.01', expected: undefined },
  { name: 'mapped IPv4', given: '::ffff:10.0.0.1', expected: undefined },
  { name: 'zone', given: 'fe80::1%eth0', expected: undefined },
  { name: 'prefix length', given: '10.0.0.0/8', expected: undefined },
  { name: 'empty', given: '', expected: undefined },
];

for (const { name, given, expected } of CASES) {
  test(`parseIp() ${name}`, () => {
    const parsed = parseIp(given);
    assert.equal(parsed.ok ? parsed.value : undefined, expected);
  });
}

const anyIp = fc
  .constantFrom<Family>(4, 6)
  .chain((family) =>
    fc.bigInt({ min: 0n, max: (1n << BigInt(familyBits(family))) - 1n }).map((value) => ({ family, value })),
  );

test('numbers, bytes and text name the same address', () => {
  fc.assert(
    fc.property(anyIp, ({ family, value }) => {
      const ip = ipFromBigInt(value, family);
      assert.equal(unwrap(parseIp(ip)), ip);
      assert.equal(ipToBigInt(ip), value);
      assert.equal(ipFromBytes(ipToBytes(ip)), ip);
      assert.equal(BigInt(`0x${Buffer.from(ipToBytes(ip)).toString('hex')}`), value);
      if (family === 4) assert.equal(ipv4FromNumber(ipv4ToNumber(ip)), ip);
    }),
  );
});

test('compareIp() agrees with the numbers', () => {
  fc.assert(
    fc.property(anyIp, anyIp, (a, b) => {
      const byNumber = a.family !== b.family ? a.family - b.family : a.value < b.value ? -1 : a.value > b.value ? 1 : 0;
      const byText = compareIp(ipFromBigInt(a.value, a.family), ipFromBigInt(b.value, b.family));
      assert.equal(Math.sign(byText), Math.sign(byNumber));
    }),
  );
});

test('compareIp() orders by number, IPv4 first', () => {
  const sorted = ['::1', '10.0.0.10', '10.0.0.9'].map((text) => unwrap(parseIp(text))).sort(compareIp);
  assert.deepEqual(sorted, ['10.0.0.9', '10.0.0.10', '::1']);
});
