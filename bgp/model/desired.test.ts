import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { IpPool } from '../../datastore/resources/ip-pool.ts';
import { ADDRESS, asn, BLOCK, cidr, nodeObject, peerObject } from '../../test/support/bgp-world.ts';
import { type DesiredBgpInput, desiredBgp } from './desired.ts';

const N1 = nodeObject('n1', ADDRESS.n1);
const N2 = nodeObject('n2', ADDRESS.n2);
const TOR = peerObject('tor', { peerIP: ADDRESS.tor, asNumber: 64600 });
const BASE: DesiredBgpInput = { node: 'n1', nodes: [N1, N2], peers: [], blocks: [BLOCK.n1], pools: [] };

const ASN = 'projectcalico.org/ASNumber';
const V4 = 'projectcalico.org/IPv4Address';
const V6 = 'projectcalico.org/IPv6Address';

function configuration(spec: Record<string, unknown>) {
  const metadata = { name: 'default' };
  return { apiVersion: 'projectcalico.org/v3', kind: 'BGPConfiguration', metadata, spec } as const;
}

function pool(spec: Partial<IpPool['spec']>): IpPool {
  const metadata = { name: 'pool' };
  return {
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata,
    spec: { cidr: cidr('10.244.0.0/16'), ...spec },
  };
}

test('desiredBgp() fills in a whole speaker', () => {
  const { desired, problems } = desiredBgp({ ...BASE, peers: [TOR] });
  assert.deepEqual(problems, []);
  assert.ok(desired);
  assert.deepEqual(desired.global, {
    asn: 64512,
    routerId: ADDRESS.n1,
    listenPort: 179,
    listenAddresses: [ADDRESS.n1],
  });
  const common = {
    port: 179,
    localAddress: ADDRESS.n1,
    connect: 'active',
    holdTimeSeconds: 90,
    keepaliveSeconds: 30,
    connectRetrySeconds: 5,
    gracefulRestart: { restartTimeSeconds: 120, deferralTimeSeconds: 15 },
    families: [4],
  };
  assert.deepEqual(
    [...desired.peers.values()],
    [
      {
        address: ADDRESS.tor,
        asn: 64600,
        description: 'BGPPeer tor',
        distance: { kind: 'adjacent' },
        maxPrefixes: 1000,
        ...common,
      },
      {
        address: ADDRESS.n2,
        asn: 64512,
        description: 'mesh n2',
        distance: { kind: 'multihop', ttl: 255 },
        maxPrefixes: 50_000,
        ...common,
      },
    ],
  );
  assert.deepEqual([...desired.paths], [[BLOCK.n1, { nextHop: ADDRESS.n1 }]]);
  assert.equal(desired.policies.export.otherwise, 'reject');
});

const PEERS: readonly {
  readonly name: string;
  readonly given: Partial<DesiredBgpInput>;
  /** `address:port as side` of each peer. */
  readonly expected: readonly string[];
  readonly problems?: readonly string[];
}[] = [
  { name: 'a mesh of one', given: { nodes: [N1] }, expected: [] },
  { name: 'a mesh: the lower address dials', given: {}, expected: ['198.51.100.2:179 64512 active'] },
  { name: 'a mesh: the higher one waits', given: { node: 'n2' }, expected: ['198.51.100.1:179 64512 passive'] },
  {
    name: 'addresses compare as numbers',
    given: { node: 'n2', nodes: [nodeObject('n1', '198.51.100.10'), nodeObject('n2', '198.51.100.9')] },
    expected: ['198.51.100.10:179 64512 active'],
  },
  {
    name: 'mesh switched off',
    given: { configuration: configuration({ nodeToNodeMeshEnabled: false }), peers: [TOR] },
    expected: ['198.51.100.254:179 64600 active'],
  },
  {
    name: 'AS number and port of the cluster',
    given: { configuration: configuration({ asNumber: asn(65001), listenPort: 1179 }) },
    expected: ['198.51.100.2:1179 65001 active'],
  },
  {
    name: 'a node with its own AS number',
    given: { nodes: [N1, nodeObject('n2', ADDRESS.n2, { [ASN]: '1.10' })] },
    expected: ['198.51.100.2:179 65546 active'],
  },
  {
    name: 'another node without address or with a bad AS number: left out, the rest stands',
    given: {
      nodes: [
        N1,
        N2,
        { ...N2, metadata: { name: 'n3' }, status: {} },
        nodeObject('n4', '198.51.100.4', { [ASN]: 'x' }),
      ],
    },
    expected: ['198.51.100.2:179 64512 active'],
    problems: [
      `Cannot find an address of node "n3": no annotation "${V4}" and no InternalIP, expected an IPv4 address`,
      `Cannot use annotation "${ASN}" of node "n4": "x", expected 1 to 4294967295`,
    ],
  },
  {
    name: 'peer of this node, of another node, of selected nodes',
    given: {
      nodes: [{ ...N1, metadata: { name: 'n1', labels: { rack: 'a' } } }],
      peers: [
        peerObject('p1', { peerIP: '203.0.113.1', asNumber: 1, node: 'n1' }),
        peerObject('p2', { peerIP: '203.0.113.2', asNumber: 2, node: 'n2' }),
        peerObject('p3', { peerIP: '203.0.113.3', asNumber: 3, nodeSelector: "rack == 'a'" }),
        peerObject('p4', { peerIP: '203.0.113.4', asNumber: 4, nodeSelector: "rack == 'b'" }),
      ],
    },
    expected: ['203.0.113.1:179 1 active', '203.0.113.3:179 3 active'],
  },
  {
    name: 'a BGPPeer that names a node replaces the mesh session; one that names this node is no peer',
    given: {
      node: 'n2',
      peers: [
        peerObject('a', { peerIP: `${ADDRESS.n1}:1790`, asNumber: 64512 }),
        peerObject('b', { peerIP: ADDRESS.n2, asNumber: 64512 }),
      ],
    },
    expected: ['198.51.100.1:1790 64512 passive'],
  },
  {
    name: 'bad peers are named',
    given: {
      nodes: [N1],
      peers: [
        peerObject('a', { peerIP: 'tor.example', asNumber: 1 }),
        peerObject('b', { peerIP: '203.0.113.1', asNumber: 1, nodeSelector: 'rack in (a)' }),
        peerObject('c', { peerIP: '203.0.113.1', asNumber: 1 }),
        peerObject('d', { peerIP: '203.0.113.1', asNumber: 2 }),
      ],
    },
    expected: ['203.0.113.1:179 1 active'],
    problems: [
      'Cannot use BGPPeer "a": "tor.example" is not a peer address, expected ADDRESS, ADDRESS:PORT or [IPV6]:PORT',
      'Cannot use BGPPeer "b": Cannot parse selector "rack in (a)": at character 9 "(a)" stands there, expected "{"',
      'Cannot add "BGPPeer d": address "203.0.113.1" is taken by "BGPPeer c", expected one peer of an address',
    ],
  },
];

for (const { name, given, expected, problems = [] } of PEERS) {
  test(`desiredBgp() peers: ${name}`, () => {
    const result = desiredBgp({ ...BASE, ...given });
    const peers = [...(result.desired?.peers.values() ?? [])];
    assert.deepEqual(
      peers.map(({ address, port, asn, connect }) => `${address}:${port} ${asn} ${connect}`),
      expected,
    );
    assert.deepEqual(result.problems, problems);
  });
}

const UNABLE = [
  {
    name: 'no Node',
    given: { nodes: [N2] },
    expected: 'Cannot configure BGP of node "n1": there is no such Node, expected one',
  },
  {
    name: 'a Node without address',
    given: { nodes: [{ ...N1, status: { addresses: [{ type: 'ExternalIP', address: '203.0.113.9' }] } }] },
    expected: `Cannot find an address of node "n1": no annotation "${V4}" and no InternalIP, expected an IPv4 address`,
  },
  {
    name: 'a bad address annotation is not passed over',
    given: { nodes: [nodeObject('n1', ADDRESS.n1, { [V4]: 'fd00::1/64' })] },
    expected: `Cannot use annotation "${V4}" of node "n1": "fd00::1/64", expected an IPv4 address`,
  },
  {
    name: 'a bad AS number',
    given: { nodes: [nodeObject('n1', ADDRESS.n1, { [ASN]: '0' })] },
    expected: `Cannot use annotation "${ASN}" of node "n1": "0", expected 1 to 4294967295`,
  },
];

for (const { name, given, expected } of UNABLE) {
  test(`desiredBgp() is absent for ${name}`, () => {
    const { desired, problems } = desiredBgp({ ...BASE, ...given });
    assert.deepEqual({ desired, problems }, { desired: undefined, problems: [expected] });
  });
}

test('desiredBgp() takes the annotated address before the internal one', () => {
  const { desired } = desiredBgp({ ...BASE, nodes: [nodeObject('n1', ADDRESS.n1, { [V4]: '198.51.100.77/24' })] });
  assert.equal(desired?.global.routerId, '198.51.100.77');
});

test('desiredBgp() takes timers from a BGPPeer', () => {
  const peer = (more: object) => {
    const peers = [peerObject('x', { peerIP: ADDRESS.tor, asNumber: 1, ...more })];
    const found = desiredBgp({ ...BASE, nodes: [N1], peers })
      .desired?.peers.values()
      .next().value;
    return [found?.holdTimeSeconds, found?.keepaliveSeconds, found?.gracefulRestart?.restartTimeSeconds];
  };
  assert.deepEqual(peer({ keepaliveTime: '3s', maxRestartTime: '2m30s' }), [9, 3, 150]);
  assert.deepEqual(peer({ holdTime: '10s' }), [10, 3, 120]);
  assert.deepEqual(peer({ holdTime: '10s', keepaliveTime: '2s', gracefulRestart: { restartTime: '1m' } }), [10, 2, 60]);
  assert.deepEqual(peer({ gracefulRestart: { enabled: false } }), [90, 30, undefined]);
});

test('desiredBgp() paths: hidden pools, blocks without pool, IPv6', () => {
  const six = cidr('fd00:10:244::100/120');
  const paths = (given: Partial<DesiredBgpInput>) => {
    const { desired, problems } = desiredBgp({ ...BASE, ...given });
    return { paths: [...(desired?.paths ?? [])].map(([prefix, { nextHop }]) => `${prefix} ${nextHop}`), problems };
  };
  assert.deepEqual(paths({ pools: [pool({ disableBGPExport: true })] }), { paths: [], problems: [] });
  assert.deepEqual(paths({ pools: [pool({ disabled: true })] }).paths, ['10.244.1.0/24 198.51.100.1']);
  assert.deepEqual(paths({ blocks: [six] }), {
    paths: [],
    problems: ['Cannot advertise block "fd00:10:244::100/120": node "n1" has no IPv6 address, expected one'],
  });
  const nodes = [nodeObject('n1', ADDRESS.n1, { [V6]: 'fd00:10:245::1/64' })];
  assert.deepEqual(paths({ nodes, blocks: [six, BLOCK.n1] }).paths, [
    '10.244.1.0/24 198.51.100.1',
    'fd00:10:244::100/120 fd00:10:245::1',
  ]);
});
