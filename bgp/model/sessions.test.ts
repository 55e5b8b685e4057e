import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bgpConfigurationSchema } from '../../datastore/resources/bgp-configuration.ts';
import { type BgpPeer, bgpPeerSchema } from '../../datastore/resources/bgp-peer.ts';
import type { Node } from '../../datastore/resources/node.ts';
import { type Secret, secretSchema } from '../../datastore/resources/secret.ts';
import { ip } from '../../test/support/bgp-world.ts';
import { type DesiredBgpInput, desiredBgp } from './desired.ts';
import type { DesiredPeer } from './types.ts';

const CLUSTER_ID = 'projectcalico.org/RouteReflectorClusterID';

type Extra = { readonly labels?: Record<string, string>; readonly annotations?: Record<string, string> };

/** Node `nN` at 198.51.100.N, and at fd00:10:245::N when it is asked for. */
function node(n: number, { labels = {}, annotations = {} }: Extra = {}, families: '4' | '6' | '46' = '4'): Node {
  const addresses = [
    ...(families.includes('4') ? [`198.51.100.${n}`] : []),
    ...(families.includes('6') ? [`fd00:10:245::${n}`] : []),
  ];
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: `n${n}`, labels, annotations },
    status: { addresses: addresses.map((address) => ({ type: 'InternalIP', address })) },
  };
}

const peer = (name: string, spec: object): BgpPeer =>
  bgpPeerSchema.parse({ apiVersion: 'projectcalico.org/v3', kind: 'BGPPeer', metadata: { name }, spec });
const configuration = (spec: object, name = 'default') =>
  bgpConfigurationSchema.parse({
    apiVersion: 'projectcalico.org/v3',
    kind: 'BGPConfiguration',
    metadata: { name },
    spec,
  });
const secret = (name: string, stringData: object): Secret =>
  secretSchema.parse({ apiVersion: 'v1', kind: 'Secret', metadata: { name, namespace: 'kube-system' }, stringData });

const reflector = (n: number, id: string): Node =>
  node(n, { labels: { 'route-reflector': 'true' }, annotations: { [CLUSTER_ID]: id } });
const chosen = (n: number): Node =>
  node(n, {
    annotations: { [CLUSTER_ID]: '244.0.0.1', 'margay.dev/route-reflector-since': '2026-01-01T00:00:00.000Z' },
  });
const TO_REFLECTORS = peer('reflectors', { nodeSelector: 'all()', peerSelector: "route-reflector == 'true'" });

/** `address as` and what is out of the ordinary. */
function print({ address, asn, connect, routeReflector, localAsn, families }: DesiredPeer): string {
  return [
    address,
    asn,
    ...(connect === 'passive' ? ['waits'] : []),
    ...(routeReflector === undefined ? [] : [`client of ${routeReflector.clusterId}`]),
    ...(localAsn === undefined ? [] : [`as ${localAsn}`]),
    ...(families.join('') === '4' ? [] : [`v${families.join('+')}`]),
  ].join(' ');
}

const ROWS: readonly {
  readonly name: string;
  readonly given: Partial<DesiredBgpInput> & Pick<DesiredBgpInput, 'nodes'>;
  readonly expected: readonly string[];
  readonly problems?: readonly string[];
}[] = [
  {
    name: 'reflectors are in no mesh, seen from a node',
    given: { nodes: [node(1), node(2), reflector(3, '244.0.0.1')] },
    expected: ['198.51.100.2 64512'],
  },
  {
    name: 'reflectors are in no mesh, seen from one',
    given: { nodes: [reflector(1, '244.0.0.1'), node(2)] },
    expected: [],
  },
  {
    name: 'nodes and their reflectors: no mesh beside',
    given: {
      nodes: [node(1), node(2), reflector(3, '244.0.0.1'), reflector(4, '244.0.0.1')],
      configuration: configuration({ nodeToNodeMeshEnabled: false }),
      peers: [TO_REFLECTORS],
    },
    expected: ['198.51.100.3 64512', '198.51.100.4 64512'],
  },
  {
    name: 'a reflector has its clients by the reverse, and the other reflector of its cluster as an equal',
    given: {
      node: 'n3',
      nodes: [node(1), node(2), reflector(3, '244.0.0.1'), reflector(4, '244.0.0.1')],
      peers: [TO_REFLECTORS],
    },
    expected: [
      '198.51.100.1 64512 waits client of 244.0.0.1',
      '198.51.100.2 64512 waits client of 244.0.0.1',
      '198.51.100.4 64512',
    ],
  },
  {
    name: 'reflectors of two clusters are clients of each other',
    given: { node: 'n3', nodes: [reflector(3, '244.0.0.1'), reflector(4, '244.0.0.2')], peers: [TO_REFLECTORS] },
    expected: ['198.51.100.4 64512 client of 244.0.0.1'],
  },
  {
    name: 'a chosen reflector is there for all, with no mesh beside',
    given: {
      nodes: [node(1), node(2), chosen(3)],
      configuration: configuration({ nodeToNodeMeshEnabled: false }),
    },
    expected: ['198.51.100.3 64512'],
  },
  {
    name: 'a chosen reflector has everybody as a client',
    given: { node: 'n3', nodes: [node(1), node(2), chosen(3)] },
    expected: ['198.51.100.1 64512 waits client of 244.0.0.1', '198.51.100.2 64512 waits client of 244.0.0.1'],
  },
  {
    name: 'reversePeering Manual: nobody peers back',
    given: {
      node: 'n3',
      nodes: [node(1), reflector(3, '244.0.0.1')],
      peers: [peer('one-way', { peerSelector: "route-reflector == 'true'", node: 'n1', reversePeering: 'Manual' })],
    },
    expected: [],
  },
  {
    name: "localASNumber is ours forward and the peer's backward",
    given: {
      node: 'n2',
      nodes: [node(1), node(2, { labels: { rack: 'a' } })],
      configuration: configuration({ nodeToNodeMeshEnabled: false }),
      peers: [peer('p', { node: 'n1', peerSelector: "rack == 'a'", localASNumber: 65001 })],
    },
    expected: ['198.51.100.1 65001 waits'],
  },
  {
    name: 'a bad cluster id is no reflector and no member of the mesh',
    given: { nodes: [node(1), reflector(2, 'one')] },
    expected: [],
    problems: [
      `Cannot use annotation "${CLUSTER_ID}" of node "n2": "one", expected the form of an IPv4 address such as "244.0.0.1"`,
    ],
  },
  {
    name: 'one session of two dual-stack nodes carries both families; IPv6 alone has its own',
    given: { nodes: [node(1, {}, '46'), node(2, {}, '46'), node(3, {}, '6'), node(4)] },
    expected: ['198.51.100.2 64512 v4+6', 'fd00:10:245::3 64512 v6', '198.51.100.4 64512'],
  },
  {
    name: 'a node without IPv4 cannot speak to one without IPv6',
    given: { nodes: [node(1, {}, '6'), node(2)] },
    expected: [],
  },
  {
    name: 'a session over IPv6 carries IPv4 too',
    given: {
      nodes: [node(1, {}, '46')],
      peers: [peer('tor', { peerIP: 'fd00:10:245::fe', asNumber: 64600 })],
    },
    expected: ['fd00:10:245::fe 64600 v4+6'],
  },
  {
    name: 'a peer of a family that the node lacks',
    given: { nodes: [node(1)], peers: [peer('tor', { peerIP: 'fd00:10:245::fe', asNumber: 64600 })] },
    expected: [],
    problems: [
      'Cannot bring up "BGPPeer tor" at "fd00:10:245::fe": node "n1" has no IPv6 address, expected one to reach "fd00:10:245::fe" from',
    ],
  },
  {
    name: 'the default gateway of the asked family',
    given: {
      nodes: [node(1, {}, '46')],
      defaultGateways: [ip('198.51.100.254'), ip('fd00:10:245::fe')],
      peers: [peer('up', { autoDiscovery: { mode: 'DefaultGateway', addressFamily: 'ipv6' }, asNumber: 64600 })],
    },
    expected: ['fd00:10:245::fe 64600 v4+6'],
  },
  {
    name: 'no default gateway',
    given: {
      nodes: [node(1)],
      peers: [peer('up', { autoDiscovery: { mode: 'DefaultGateway' }, asNumber: 64600 })],
    },
    expected: [],
    problems: ['Cannot use BGPPeer "up": node "n1" has no IPv4 default route, expected one whose gateway is the peer'],
  },
  {
    name: 'settings of one node: its AS number, its port, its place in the mesh',
    given: {
      nodes: [node(1), node(2), node(3)],
      nodeConfigurations: [
        configuration({ asNumber: 65002, listenPort: 1790 }, 'node.n2'),
        configuration({ nodeToNodeMeshEnabled: false }, 'node.n3'),
      ],
    },
    expected: ['198.51.100.2 65002'],
  },
  {
    name: 'a password that is nowhere: no session, and none of the mesh in its place',
    given: {
      nodes: [node(1), node(2), node(3), node(4)],
      secrets: [secret('bgp', { tor: 'x'.repeat(81), b: 'secret' })],
      peers: [
        peer('a', { peerIP: '198.51.100.2', asNumber: 64512, password: { secretKeyRef: { name: 'other', key: 'k' } } }),
        peer('b', { peerIP: '198.51.100.3', asNumber: 64512, password: { secretKeyRef: { name: 'bgp', key: 'a' } } }),
        peer('c', { peerIP: '198.51.100.4', asNumber: 64512, password: { secretKeyRef: { name: 'bgp', key: 'tor' } } }),
      ],
    },
    expected: [],
    problems: [
      'Cannot bring up "BGPPeer a" at "198.51.100.2": there is no Secret "kube-system/other", expected one with the password under key "k"',
      'Cannot bring up "BGPPeer b" at "198.51.100.3": Secret "kube-system/bgp" has no key "a", expected the password there',
      'Cannot bring up "BGPPeer c" at "198.51.100.4": key "tor" of Secret "kube-system/bgp" has 81 bytes, expected a password of 1 to 80',
    ],
  },
];

const desired = (given: Partial<DesiredBgpInput> & Pick<DesiredBgpInput, 'nodes'>) =>
  desiredBgp({ node: 'n1', peers: [], blocks: [], pools: [], ...given });

for (const { name, given, expected, problems = [] } of ROWS) {
  test(`desiredBgp() sessions: ${name}`, () => {
    const result = desired(given);
    assert.deepEqual([...(result.desired?.peers.values() ?? [])].map(print), expected);
    assert.deepEqual(result.problems, problems);
  });
}

test('desiredBgp() asks for all that a BGPPeer says', () => {
  const given = {
    peerIP: '203.0.113.9:1179',
    asNumber: 64600,
    localASNumber: 65001,
    password: { secretKeyRef: { name: 'bgp', key: 'tor' } },
    sourceAddress: 'None',
    reachableBy: '198.51.100.254',
    numAllowedLocalASNumbers: 2,
    holdTime: '9s',
    connectRetry: '2s',
    maxPrefixes: 7,
    bfd: { receiveInterval: '1s', detectMultiplier: 5 },
  };
  const result = desired({
    nodes: [node(1)],
    peers: [peer('tor', given)],
    secrets: [secret('bgp', { tor: 'secret' })],
  });
  assert.deepEqual(
    [...(result.desired?.peers.values() ?? [])],
    [
      {
        address: '203.0.113.9',
        port: 1179,
        asn: 64600,
        localAsn: 65001,
        description: 'BGPPeer tor',
        password: 'secret',
        connect: 'active',
        distance: { kind: 'multihop', ttl: 255 },
        holdTimeSeconds: 9,
        keepaliveSeconds: 3,
        connectRetrySeconds: 2,
        bfd: { receiveMs: 1000, transmitMs: 300, multiplier: 5 },
        families: [4],
        allowedOwnAsns: 2,
        maxPrefixes: 7,
      },
    ],
  );
  assert.deepEqual(result.staticRoutes, [{ dst: '203.0.113.9/32', gateway: '198.51.100.254' }]);
});

test('desiredBgp() changes the peer of a changed password alone, and does not depend on the order of objects', () => {
  const nodes = [node(1), node(2), reflector(3, '244.0.0.1')];
  const keyed = (key: string) => ({ password: { secretKeyRef: { name: 'bgp', key } } });
  const peers = [
    peer('a', { peerIP: '203.0.113.1', asNumber: 64600, ...keyed('a') }),
    peer('b', { peerIP: '203.0.113.2', asNumber: 64600, ...keyed('b') }),
  ];
  const passwords = (a: string) => [secret('bgp', { a, b: 'two' })];
  const before = desired({ nodes, peers, secrets: passwords('one') }).desired?.peers;
  const after = desired({ nodes: nodes.toReversed(), peers: peers.toReversed(), secrets: passwords('new') }).desired
    ?.peers;
  const changed = [...(before ?? [])].filter(
    ([address, was]) => JSON.stringify(after?.get(address)) !== JSON.stringify(was),
  );
  assert.deepEqual([before?.size, changed.map(([address]) => address)], [3, ['203.0.113.1']]);
});

test('desiredBgp() gives a speaker without IPv4 an id, and listens where it is told', () => {
  const six = desired({ nodes: [node(1, {}, '6')] }).desired?.global;
  assert.deepEqual(six?.listenAddresses, ['fd00:10:245::1']);
  assert.match(six?.routerId ?? '', /^\d+\.\d+\.\d+\.\d+$/);
  assert.notEqual(six?.routerId, desired({ node: 'n2', nodes: [node(2, {}, '6')] }).desired?.global.routerId);
  const all = desired({ nodes: [node(1)], configuration: configuration({ bindMode: 'None' }) }).desired?.global;
  assert.deepEqual(all?.listenAddresses, ['0.0.0.0', '::']);
});
