import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCidr } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';
import type { Route } from '../../lib/linux/routes.ts';
import { unwrap } from '../../lib/result.ts';
import { createFib } from './fib.ts';

const ip = (text: string) => unwrap(parseIp(text));
const route = (dst: string, more: Partial<Route>): Route => ({
  dst: unwrap(parseCidr(dst)),
  type: 'unicast',
  protocol: 2,
  metric: 0,
  nextHops: [],
  ...more,
});
const gateway = { gateway: ip('198.51.100.1'), oif: 2 };

const fib = createFib([
  route('198.51.100.0/24', { oif: 2 }),
  route('0.0.0.0/0', { nextHops: [{ gateway: ip('198.51.100.9'), oif: 2 }], metric: 100 }),
  route('0.0.0.0/0', { nextHops: [gateway], metric: 50 }),
  route('203.0.113.0/24', { nextHops: [{ gateway: ip('198.51.100.9'), oif: 2 }] }),
  route('203.0.113.7/32', { type: 'unreachable' }),
  route('fd00::/64', { oif: 3, metric: 256 }),
]);

const rows = [
  { name: 'a neighbour', given: '198.51.100.7', expected: { kind: 'on-link', oif: 2 } },
  {
    name: 'the longest prefix wins',
    given: '203.0.113.5',
    expected: { kind: 'via', route: '203.0.113.0/24', hops: [{ gateway: '198.51.100.9', oif: 2 }] },
  },
  {
    name: 'of two default routes the lower metric',
    given: '192.0.2.1',
    expected: { kind: 'via', route: '0.0.0.0/0', hops: [gateway] },
  },
  {
    name: 'a route that refuses',
    given: '203.0.113.7',
    expected: {
      kind: 'unreachable',
      why: 'its next hop "203.0.113.7" falls under the unreachable route "203.0.113.7/32"',
    },
  },
  { name: 'IPv6 on a link', given: 'fd00::7', expected: { kind: 'on-link', oif: 3 } },
  {
    name: 'no route of the family',
    given: 'fd01::7',
    expected: { kind: 'unreachable', why: 'no route leads to its next hop "fd01::7"' },
  },
];

for (const { name, given, expected } of rows) {
  test(`resolve(): ${name}`, () => assert.deepEqual(fib.resolve(ip(given)), expected));
}
