import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import {
  cidrAddresses,
  cidrContains,
  cidrOf,
  cidrOverlaps,
  cidrRange,
  mergeRanges,
  parseCidr,
  subtractRanges,
} from './cidr.ts';
import { type Family, familyBits, ipFromBigInt, parseIp } from './ip.ts';
import { unwrap } from './result.ts';

const cidr = (text: string) => unwrap(parseCidr(text));
const ip = (text: string) => unwrap(parseIp(text));

const CASES = [
  { name: 'plain', given: '10.244.3.0/24', expected: '10.244.3.0/24' },
  { name: 'host bits are masked', given: '10.244.3.7/24', expected: '10.244.3.0/24' },
  { name: 'leading zeros are decimal', given: '010.001.0.0/16', expected: '10.1.0.0/16' },
  { name: 'IPv6', given: 'FD00:10:244::1/48', expected: 'fd00:10:244::/48' },
  { name: 'everything', given: '0.0.0.0/0', expected: '0.0.0.0/0' },
  { name: 'length out of range', given: '10.0.0.0/33', expected: undefined },
  { name: 'no length', given: '10.0.0.0', expected: undefined },
  { name: 'not an address', given: 'pods/24', expected: undefined },
];

for (const { name, given, expected } of CASES) {
  test(`parseCidr() ${name}`, () => {
    const parsed = parseCidr(given);
    assert.equal(parsed.ok ? parsed.value : undefined, expected);
  });
}

test('cidrOf() masks host bits at every length, and cidrContains() knows the block', () => {
  const input = fc.constantFrom<Family>(4, 6).chain((family) => {
    const bits = familyBits(family);
    const value = fc.bigInt({ min: 0n, max: (1n << BigInt(bits)) - 1n });
    return fc.record({ family: fc.constant(family), value, other: value, length: fc.integer({ min: 0, max: bits }) });
  });
  fc.assert(
    fc.property(input, ({ family, value, other, length }) => {
      const host = BigInt(familyBits(family) - length);
      const block = cidrOf(ipFromBigInt(value, family), length);
      assert.equal(block, `${ipFromBigInt((value >> host) << host, family)}/${length}`);
      assert.equal(cidrContains(block, ipFromBigInt(other, family)), value >> host === other >> host);
    }),
  );
});

test('cidrContains() and cidrOverlaps() keep families apart', () => {
  assert.equal(cidrContains(cidr('10.0.0.0/8'), ip('10.255.0.1')), true);
  assert.equal(cidrContains(cidr('10.0.0.0/8'), ip('11.0.0.0')), false);
  assert.equal(cidrContains(cidr('0.0.0.0/0'), ip('::1')), false);
  assert.equal(cidrOverlaps(cidr('10.0.0.0/8'), cidr('10.1.0.0/16')), true);
  assert.equal(cidrOverlaps(cidr('10.0.0.0/16'), cidr('10.1.0.0/16')), false);
});

test('subtractRanges() cuts overlapping, touching and foreign holes', () => {
  const holes = ['10.0.0.0/30', '10.0.0.2/31', '10.0.0.8/29', '11.0.0.0/8', 'fd00::/8'].map((text) =>
    cidrRange(cidr(text)),
  );
  const left = subtractRanges(cidrRange(cidr('10.0.0.0/28')), holes);
  assert.deepEqual(
    left.map(({ first, last }) => [ipFromBigInt(first, 4), ipFromBigInt(last, 4)]),
    [['10.0.0.4', '10.0.0.7']],
  );
});

test('mergeRanges() joins what touches', () => {
  const merged = mergeRanges(
    ['10.0.1.0/24', '10.0.0.0/24', '10.0.0.128/25', '10.0.3.0/24'].map((text) => cidrRange(cidr(text))),
  );
  assert.deepEqual(
    merged.map(({ first, last }) => [ipFromBigInt(first, 4), ipFromBigInt(last, 4)]),
    [
      ['10.0.0.0', '10.0.1.255'],
      ['10.0.3.0', '10.0.3.255'],
    ],
  );
});

test('cidrAddresses() lists them all, and refuses what is too many', () => {
  assert.deepEqual(cidrAddresses(cidr('10.0.0.254/31')), ['10.0.0.254', '10.0.0.255']);
  assert.deepEqual(cidrAddresses(cidr('fd00::/127')), ['fd00::', 'fd00::1']);
  assert.equal(cidrAddresses(cidr('10.244.0.0/16')).length, 65_536);
  assert.throws(() => cidrAddresses(cidr('fd00::/64')), /Cannot list the addresses of "fd00::\/64"/);
});
