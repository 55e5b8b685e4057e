import assert from 'node:assert/strict';
import { test } from 'node:test';
import { BLOCK, cidr, ip, POOL } from '../../test/support/bgp-world.ts';
import { learnedRoutes } from './learned.ts';
import type { RibPath } from './types.ts';

function path(prefix: string, from: string, change: Partial<RibPath> = {}): RibPath {
  return {
    prefix: cidr(prefix),
    nextHop: ip(from),
    from: ip(from),
    local: false,
    stale: false,
    asPath: [],
    asPathLength: 0,
    localPref: 100,
    med: 0,
    origin: 0,
    communities: [],
    ebgp: false,
    ...change,
  };
}

const BASE = {
  pools: [POOL, cidr('fd00:10:244::/48')],
  ownBlocks: [BLOCK.n1],
  nodeAddresses: [ip('10.244.255.7'), ip('198.51.100.1'), ip('198.51.100.2')],
  connected: [cidr('198.51.100.0/24'), cidr('10.244.250.0/24')],
};

const PREFIXES: readonly { readonly prefix: string; readonly from?: string; readonly expected: string | undefined }[] =
  [
    { prefix: '10.244.2.0/24', expected: undefined },
    { prefix: '10.244.0.0/16', expected: 'it covers the address of a node' },
    { prefix: '10.244.128.0/18', expected: undefined },
    { prefix: 'fd00:10:244:1::/64', from: 'fd00::2', expected: undefined },
    { prefix: '0.0.0.0/0', expected: 'it is a default route' },
    { prefix: '::/0', from: 'fd00::2', expected: 'it is a default route' },
    { prefix: '10.244.1.0/24', expected: 'it is inside this node\'s block "10.244.1.0/24"' },
    { prefix: '10.244.1.7/32', expected: 'it is inside this node\'s block "10.244.1.0/24"' },
    { prefix: '198.51.100.2/32', expected: 'it covers the address of a node' },
    { prefix: '10.244.255.7/32', expected: 'it covers the address of a node' },
    { prefix: '198.51.100.128/25', expected: 'it overlaps the connected subnet "198.51.100.0/24"' },
    { prefix: '10.244.250.0/23', expected: 'it overlaps the connected subnet "10.244.250.0/24"' },
    { prefix: '203.0.113.0/24', expected: 'it is outside every IP pool' },
    { prefix: '10.0.0.0/8', expected: 'it covers the address of a node' },
    { prefix: '10.240.0.0/14', expected: 'it is outside every IP pool' },
    { prefix: '10.244.3.0/24', from: '0.0.0.0', expected: 'it has no next hop' },
    { prefix: '10.244.3.0/24', from: 'fd00::2', expected: 'its next hop "fd00::2" is of the other address family' },
    { prefix: '10.244.3.0/24', from: '10.244.3.9', expected: 'its next hop "10.244.3.9" is inside itself' },
  ];

for (const { prefix, from = '198.51.100.2', expected } of PREFIXES) {
  test(`learnedRoutes() ${expected === undefined ? 'takes' : 'refuses'} ${prefix} from ${from}`, () => {
    const { routes, rejected } = learnedRoutes({ ...BASE, paths: [path(prefix, from)] });
    if (expected === undefined) {
      assert.deepEqual([...routes], [[prefix, { nextHops: [from] }]]);
      assert.deepEqual(rejected, []);
    } else {
      assert.deepEqual([...routes], []);
      assert.deepEqual(rejected, [{ prefix, from, why: expected }]);
    }
  });
}

const A = '198.51.100.11';
const B = '198.51.100.12';
const SETS: readonly {
  readonly name: string;
  readonly given: readonly (readonly [from: string, change: Partial<RibPath>])[];
  readonly expected: readonly string[];
}[] = [
  {
    name: 'equal paths share, sorted as numbers',
    given: [
      [B, {}],
      ['198.51.100.9', {}],
    ],
    expected: ['198.51.100.9', B],
  },
  {
    name: 'one next hop from two neighbours',
    given: [
      [A, {}],
      [B, { nextHop: ip(A) }],
    ],
    expected: [A],
  },
  {
    name: 'higher local preference',
    given: [
      [A, { localPref: 200, asPathLength: 3 }],
      [B, {}],
    ],
    expected: [A],
  },
  {
    name: 'shorter AS path',
    given: [
      [A, { asPathLength: 2 }],
      [B, { asPathLength: 1 }],
    ],
    expected: [B],
  },
  {
    name: 'lower origin',
    given: [
      [A, { origin: 2 }],
      [B, {}],
    ],
    expected: [B],
  },
  {
    name: 'lower MED of one neighbouring AS',
    given: [
      [A, { med: 5, asPath: [1] }],
      [B, { asPath: [1] }],
    ],
    expected: [B],
  },
  {
    name: 'MED of two ASes says nothing',
    given: [
      [A, { med: 5, asPath: [1] }],
      [B, { asPath: [2] }],
    ],
    expected: [A, B],
  },
  {
    name: 'eBGP before iBGP',
    given: [
      [A, { ebgp: true }],
      [B, {}],
    ],
    expected: [A],
  },
  { name: 'a path of ours is no route', given: [['198.51.100.1', { local: true }]], expected: [] },
  {
    name: 'a stale path counts like others',
    given: [
      [A, { stale: true }],
      [B, {}],
    ],
    expected: [A, B],
  },
];

for (const { name, given, expected } of SETS) {
  test(`learnedRoutes() next hops: ${name}`, () => {
    const paths = given.map(([from, change]) => path('10.244.9.0/24', from, change));
    for (const order of [paths, paths.toReversed()]) {
      const { routes } = learnedRoutes({ ...BASE, paths: order });
      assert.deepEqual(routes.get(cidr('10.244.9.0/24'))?.nextHops ?? [], expected);
    }
  });
}

test('learnedRoutes() caps the next hops at eight', () => {
  const paths = Array.from({ length: 12 }, (_, i) => path('10.244.9.0/24', `198.51.100.${i + 20}`));
  const nextHops = learnedRoutes({ ...BASE, paths }).routes.get(cidr('10.244.9.0/24'))?.nextHops ?? [];
  assert.deepEqual([nextHops.length, nextHops[0], nextHops[7]], [8, '198.51.100.20', '198.51.100.27']);
});

test('learnedRoutes() sorts refusals, one for each path', () => {
  const paths = [path('203.0.113.0/24', B), path('0.0.0.0/0', B), path('203.0.113.0/24', A)];
  const { rejected } = learnedRoutes({ ...BASE, paths });
  assert.deepEqual(
    rejected.map(({ prefix, from }) => [prefix, from]),
    [
      ['0.0.0.0/0', B],
      ['203.0.113.0/24', A],
      ['203.0.113.0/24', B],
    ],
  );
});
