import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type BgpFilter, bgpFilterSchema } from '../../datastore/resources/bgp-filter.ts';
import { ADDRESS, BLOCK, cidr, ip, nodeObject, POOL, peerObject } from '../../test/support/bgp-world.ts';
import { desiredBgp } from './desired.ts';
import { createImportRules } from './import-rules.ts';
import type { RibPath } from './types.ts';

function filter(spec: object): BgpFilter {
  const metadata = { name: 'in' };
  return bgpFilterSchema.parse({ apiVersion: 'projectcalico.org/v3', kind: 'BGPFilter', metadata, spec });
}

const N1 = nodeObject('n1', ADDRESS.n1);
const N2 = nodeObject('n2', ADDRESS.n2);

/** What n1 says to a path of its router (`tor`) or of the other node. */
function judge(given: Given): string {
  const { prefix, from = 'tor', importCIDRs = [], importV4, path = {} } = given;
  const peer = peerObject(from === 'tor' ? 'tor' : 'n2', {
    peerIP: ADDRESS[from],
    asNumber: from === 'tor' ? 64600 : 64512,
    importCIDRs: importCIDRs.map(cidr),
    ...(importV4 === undefined ? {} : { filters: ['in'] }),
  });
  const filters = importV4 === undefined ? [] : [filter({ importV4 })];
  const { imports, problems } = desiredBgp({
    node: 'n1',
    nodes: [N1, N2],
    peers: [peer],
    filters,
    blocks: [BLOCK.n1],
    pools: [],
  });
  assert.deepEqual(problems, []);
  const rules = createImportRules({
    pools: [POOL],
    ownBlocks: [BLOCK.n1],
    nodeAddresses: [ip(ADDRESS.n1), ip(ADDRESS.n2)],
    connected: [cidr('198.51.100.0/24')],
    serviceRanges: [cidr('10.96.0.0/16')],
    imports,
  });
  const learned = { ...learnedPath(prefix, from), ...path };
  const refusal = rules(learned.prefix)(learned);
  return refusal === undefined ? 'taken' : refusal.why;
}

function learnedPath(prefix: string, from: 'tor' | 'n2'): RibPath {
  return {
    prefix: cidr(prefix),
    nextHop: ip(ADDRESS[from]),
    from: ip(ADDRESS[from]),
    local: false,
    stale: false,
    asPath: from === 'tor' ? [64600] : [],
    asPathLength: from === 'tor' ? 1 : 0,
    localPref: 100,
    med: 0,
    origin: 0,
    communities: [],
    ebgp: from === 'tor',
  };
}

type Given = {
  readonly prefix: string;
  readonly from?: 'tor' | 'n2';
  readonly importCIDRs?: readonly string[];
  readonly importV4?: readonly object[];
  readonly path?: Partial<RibPath>;
};

const OUTSIDE = 'it is outside every IP pool';
const COMMUNITY = 64600 * 65536 + 1;
const ROWS: readonly (readonly [name: string, given: Given, expected: string])[] = [
  ['a block from a node', { prefix: '10.244.2.0/24', from: 'n2' }, 'taken'],
  ['the world from a node', { prefix: '203.0.113.0/24', from: 'n2' }, OUTSIDE],
  ['a range of the pool from a router', { prefix: '10.244.9.0/24' }, 'taken'],
  ['the world from a router', { prefix: '203.0.113.0/24' }, OUTSIDE],
  ['a range in importCIDRs', { prefix: '203.0.113.0/25', importCIDRs: ['203.0.113.0/24'] }, 'taken'],
  ['a range around importCIDRs', { prefix: '203.0.112.0/23', importCIDRs: ['203.0.113.0/24'] }, OUTSIDE],
  ['the default route', { prefix: '0.0.0.0/0' }, 'it is a default route'],
  ['the default route in importCIDRs', { prefix: '0.0.0.0/0', importCIDRs: ['0.0.0.0/0'] }, 'taken'],
  ['the world in importCIDRs', { prefix: '203.0.113.0/24', importCIDRs: ['0.0.0.0/0'] }, 'taken'],
  [
    'the address of a node, in a range that is everything',
    { prefix: '198.51.100.2/32', importCIDRs: ['0.0.0.0/0'] },
    'it covers the address of a node',
  ],
  [
    'a service address',
    { prefix: '10.96.0.10/32' },
    'it overlaps the service range "10.96.0.0/16", which every node serves',
  ],
  ['a service address by name', { prefix: '10.96.0.10/32', importCIDRs: ['10.96.0.10/32'] }, 'taken'],
  [
    'a connected subnet by an accepting rule',
    { prefix: '198.51.100.64/26', importV4: [{ cidr: '198.51.100.0/24', matchOperator: 'In', action: 'Accept' }] },
    'taken',
  ],
  ['the world by "accept all"', { prefix: '203.0.113.0/24', importV4: [{ action: 'Accept' }] }, 'taken'],
  [
    'the default route by "accept all"',
    { prefix: '0.0.0.0/0', importV4: [{ action: 'Accept' }] },
    'it is a default route',
  ],
  [
    'the default route by "in anything"',
    { prefix: '0.0.0.0/0', importV4: [{ cidr: '0.0.0.0/0', matchOperator: 'In', action: 'Accept' }] },
    'it is a default route',
  ],
  [
    'the default route by its name',
    { prefix: '0.0.0.0/0', importV4: [{ cidr: '0.0.0.0/0', matchOperator: 'Equal', action: 'Accept' }] },
    'taken',
  ],
  [
    'this node\'s own block by "accept all"',
    { prefix: '10.244.1.0/24', importV4: [{ action: 'Accept' }] },
    'it is inside this node\'s block "10.244.1.0/24"',
  ],
  [
    'this node\'s own block by "anything but"',
    { prefix: '10.244.1.0/24', importV4: [{ cidr: '203.0.113.0/24', matchOperator: 'NotIn', action: 'Accept' }] },
    'it is inside this node\'s block "10.244.1.0/24"',
  ],
  [
    'a range of the pool that a rule rejects, while gobgpd does not know the rule',
    { prefix: '10.244.9.0/24', importV4: [{ action: 'Reject' }] },
    'BGPFilter in importV4[0] rejects it',
  ],
  [
    'a rule by communities',
    {
      prefix: '203.0.113.0/24',
      importV4: [{ communities: { values: ['64600:1'] }, action: 'Accept' }],
      path: { communities: [COMMUNITY] },
    },
    'taken',
  ],
  [
    'a rule by communities that the path lacks',
    { prefix: '203.0.113.0/24', importV4: [{ communities: { values: ['64600:1'] }, action: 'Accept' }] },
    OUTSIDE,
  ],
  [
    'a rule whose own community an earlier one rejects',
    {
      prefix: '203.0.113.0/24',
      importV4: [
        { communities: { values: ['64600:1'] }, action: 'Reject' },
        { asPathPrefix: [64600], action: 'Accept', operations: [{ addCommunity: { value: '64600:1' } }] },
      ],
      path: { communities: [COMMUNITY] },
    },
    'taken',
  ],
  [
    'a rule that has put numbers before the path',
    {
      prefix: '203.0.113.0/24',
      importV4: [{ asPathPrefix: [64600], action: 'Accept', operations: [{ prependASPath: { prefix: [1, 2] } }] }],
      path: { asPath: [1, 2, 64600] },
    },
    'taken',
  ],
  ['a rule for other peers', { prefix: '203.0.113.0/24', importV4: [{ peerType: 'iBGP', action: 'Accept' }] }, OUTSIDE],
  [
    'a next hop inside the prefix, whatever asks for it',
    { prefix: '198.51.100.0/24', importCIDRs: ['198.51.100.0/24'] },
    'its next hop "198.51.100.254" is inside itself',
  ],
];

for (const [name, given, expected] of ROWS) {
  test(`createImportRules(): ${name}`, () => assert.equal(judge(given), expected));
}

test('createImportRules() says what would let a path in', () => {
  const { imports } = desiredBgp({
    node: 'n1',
    nodes: [N1, N2],
    peers: [peerObject('tor', { peerIP: ADDRESS.tor, asNumber: 64600 })],
    blocks: [],
    pools: [],
  });
  const rules = createImportRules({ pools: [POOL], ownBlocks: [], nodeAddresses: [], imports });
  const hintFor = (from: 'tor' | 'n2') => rules(cidr('203.0.113.0/24'))(learnedPath('203.0.113.0/24', from))?.hint;
  assert.equal(
    hintFor('tor'),
    'to take it, name "203.0.113.0/24" in importCIDRs of BGPPeer tor or in an Accept rule of a BGPFilter of it',
  );
  assert.equal(hintFor('n2'), undefined);
});
