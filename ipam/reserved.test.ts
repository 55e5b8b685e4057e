import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Cidr, cidrContains, cidrOf } from '../lib/cidr.ts';
import { familyBits, type Ip, ipFromBigInt } from '../lib/ip.ts';
import { createReserved } from './reserved.ts';

const V4 = 0x0af4_0000n;
const V6 = 0xfd00n << 112n;

// Close together, so that ranges touch, overlap and hold each other.
const ip = fc
  .tuple(fc.constantFrom(4 as const, 6 as const), fc.bigInt(0n, 600n))
  .map(([family, offset]): Ip => ipFromBigInt((family === 4 ? V4 : V6) + offset, family));
const cidr = fc
  .tuple(ip, fc.nat(10))
  .map(([address, host]): Cidr => cidrOf(address, familyBits(address.includes(':') ? 6 : 4) - host));

test('has() says what a look at each reservation says', () => {
  fc.assert(
    fc.property(fc.array(cidr, { maxLength: 12 }), fc.array(ip, { minLength: 1, maxLength: 20 }), (cidrs, ips) => {
      const reserved = createReserved(() => cidrs);
      for (const each of ips) {
        assert.equal(
          reserved.has(each),
          cidrs.some((one) => cidrContains(one, each)),
          each,
        );
      }
    }),
  );
});

test('has() reads the reservations once, however often it is asked', () => {
  let reads = 0;
  const cidrs = new Proxy<readonly Cidr[]>(['10.244.0.0/24' as Cidr, '10.244.9.0/24' as Cidr], {
    get: (array, key, receiver) => {
      reads++;
      return Reflect.get(array, key, receiver);
    },
  });
  const reserved = createReserved(() => cidrs);
  assert.equal(reserved.has('10.244.9.7' as Ip), true);
  const first = reads;
  for (const each of ['10.244.0.1', '10.244.1.1', '10.244.9.9']) reserved.has(each as Ip);
  assert.equal(reads, first);
  assert.equal(reserved.ranges().length, 2);
});
