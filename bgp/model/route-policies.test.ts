import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bgpConfigurationSchema } from '../../datastore/resources/bgp-configuration.ts';
import { type BgpFilter, bgpFilterSchema } from '../../datastore/resources/bgp-filter.ts';
import { type BgpPeer, bgpPeerSchema } from '../../datastore/resources/bgp-peer.ts';
import { ADDRESS, BLOCK, cidr, ip, nodeObject } from '../../test/support/bgp-world.ts';
import { GRACEFUL_SHUTDOWN } from './community.ts';
import { type DesiredBgpInput, desiredBgp } from './desired.ts';
import type { RouteChange } from './route-policy.ts';
import type { DesiredBgp } from './types.ts';
import { type PolicyPath, walkPolicy } from './walk-policy.ts';

const peer = (name: string, spec: object): BgpPeer =>
  bgpPeerSchema.parse({ apiVersion: 'projectcalico.org/v3', kind: 'BGPPeer', metadata: { name }, spec });
const filter = (name: string, spec: object): BgpFilter =>
  bgpFilterSchema.parse({ apiVersion: 'projectcalico.org/v3', kind: 'BGPFilter', metadata: { name }, spec });
const CLUSTER = { 'projectcalico.org/RouteReflectorClusterID': '244.0.0.1' };
const TOR = ip(ADDRESS.tor);
const N2 = ip(ADDRESS.n2);

const PATH: PolicyPath = {
  prefix: cidr('10.244.9.0/24'),
  nextHop: N2,
  local: false,
  ebgp: false,
  communities: [],
  asPath: [],
  localPref: 100,
  med: 0,
};
const PATHS = {
  local: { ...PATH, prefix: BLOCK.n1, local: true },
  internal: PATH,
  external: { ...PATH, ebgp: true, asPath: [64600] },
};

function speaker(given: Partial<DesiredBgpInput>) {
  const nodes = [nodeObject('n1', ADDRESS.n1), nodeObject('n2', ADDRESS.n2)];
  const pools = [
    {
      apiVersion: 'projectcalico.org/v3',
      kind: 'IPPool',
      metadata: { name: 'p' },
      spec: { cidr: cidr('10.244.0.0/16') },
    },
  ] as const;
  const { desired, problems } = desiredBgp({ node: 'n1', nodes, peers: [], blocks: [BLOCK.n1], pools, ...given });
  assert.ok(desired);
  return { desired, problems };
}

/** Which of the three kinds of paths a peer is sent. */
const sent = ({ policies }: DesiredBgp, to: typeof TOR): string =>
  Object.entries(PATHS)
    .filter(([, path]) => walkPolicy(policies.export, path, to).action === 'accept')
    .map(([kind]) => kind)
    .join(' ');

const reflectorOf = { node: 'n1', nodes: [nodeObject('n1', ADDRESS.n1, CLUSTER), nodeObject('n2', ADDRESS.n2)] };
const TO_N2 = peer('clients', { peerIP: ADDRESS.n2, asNumber: 64512 });
const tor = (more: object = {}): BgpPeer => peer('tor', { peerIP: ADDRESS.tor, asNumber: 64600, ...more });

const EXPORTS: readonly {
  readonly name: string;
  readonly given: Partial<DesiredBgpInput>;
  readonly toTor: string;
  readonly toNode: string;
}[] = [
  { name: 'a node of the mesh', given: { peers: [tor()] }, toTor: 'local', toNode: 'local' },
  { name: 'a reflector', given: { ...reflectorOf, peers: [TO_N2, tor()] }, toTor: 'local', toNode: 'local internal' },
  {
    name: 'a reflector that keeps next hops',
    given: { ...reflectorOf, peers: [TO_N2, tor({ nextHopMode: 'Keep' })] },
    toTor: 'local internal',
    toNode: 'local internal',
  },
  {
    name: '"accept all" is no transit',
    given: { peers: [tor({ filters: ['f'] })], filters: [filter('f', { exportV4: [{ action: 'Accept' }] })] },
    toTor: 'local',
    toNode: 'local',
  },
  {
    name: 'what was learned, when it is asked for',
    given: {
      peers: [tor({ filters: ['f'] })],
      filters: [filter('f', { exportV4: [{ source: 'RemotePeers', action: 'Accept' }] })],
    },
    toTor: 'local internal external',
    toNode: 'local',
  },
  {
    name: 'a filter holds for its peer alone',
    given: { peers: [tor({ filters: ['f'] })], filters: [filter('f', { exportV4: [{ action: 'Reject' }] })] },
    toTor: '',
    toNode: 'local',
  },
  {
    name: 'the first filter that decides',
    given: {
      peers: [tor({ filters: ['a', 'b'] })],
      filters: [
        filter('b', { exportV4: [{ action: 'Accept' }] }),
        filter('a', { exportV4: [{ cidr: '10.244.0.0/16', matchOperator: 'In', action: 'Reject' }] }),
      ],
    },
    toTor: '',
    toNode: 'local',
  },
];

for (const { name, given, toTor, toNode } of EXPORTS) {
  test(`desiredBgp() exports: ${name}`, () => {
    const { desired, problems } = speaker(given);
    assert.deepEqual({ toTor: sent(desired, TOR), toNode: sent(desired, N2) }, { toTor, toNode });
    assert.deepEqual(problems, []);
  });
}

test('desiredBgp() exchanges nothing with a peer whose filter is missing', () => {
  const { desired, problems } = speaker({ peers: [tor({ filters: ['f', 'gone'] })], filters: [filter('f', {})] });
  assert.equal(sent(desired, TOR), '');
  assert.equal(walkPolicy(desired.policies.import, PATHS.external, TOR).action, 'reject');
  assert.equal(walkPolicy(desired.policies.import, PATHS.internal, N2).action, 'accept');
  assert.deepEqual(problems, [
    'Cannot exchange routes with "BGPPeer tor": there is no BGPFilter "gone", expected one that can be used',
  ]);
});

test('desiredBgp() sets next hops as nextHopMode says, of what was learned alone', () => {
  const changes = (mode: string): readonly (RouteChange | undefined)[] => {
    const { desired } = speaker({ ...reflectorOf, peers: [TO_N2, tor({ nextHopMode: mode })] });
    return desired.policies.export.statements
      .filter(({ match, action }) => action === 'continue' && match.peers?.includes(TOR) && match.source !== 'local')
      .map(({ set }) => set);
  };
  assert.deepEqual(changes('Auto'), []);
  assert.deepEqual(changes('Self'), [{ nextHop: 'self' }, { nextHop: 'self' }]);
  assert.deepEqual(changes('Keep'), [{ nextHop: 'unchanged' }, { nextHop: 'unchanged' }]);
});

test('desiredBgp() imports: a path under graceful shutdown is the last choice; our own pass', () => {
  const { desired } = speaker({ peers: [tor()] });
  const leaving = { ...PATHS.external, communities: [GRACEFUL_SHUTDOWN] };
  assert.equal(walkPolicy(desired.policies.import, leaving, TOR).path.localPref, 0);
  assert.equal(walkPolicy(desired.policies.import, PATHS.external, TOR).path.localPref, 100);
  assert.equal(walkPolicy(desired.policies.import, PATHS.local, undefined).action, 'accept');
});

test('desiredBgp() paths: communities by range, addresses outside of own blocks, drain in two stages', () => {
  const configuration = bgpConfigurationSchema.parse({
    apiVersion: 'projectcalico.org/v3',
    kind: 'BGPConfiguration',
    metadata: { name: 'default' },
    spec: {
      communities: [{ name: 'pods', value: '64512:7' }],
      prefixAdvertisements: [
        { cidr: '10.244.0.0/16', communities: ['pods', '64512:1:2', 'nobody'] },
        { cidr: '10.96.0.0/16', communities: ['65535:65281'] },
      ],
    },
  });
  const paths = (draining?: 'announced' | 'withdrawn') => {
    const { desired, problems } = speaker({
      configuration,
      services: [cidr('10.96.0.0/16')],
      addresses: [ip('10.244.1.9'), ip('10.244.77.3')],
      draining,
    });
    assert.deepEqual(problems, [
      ...(draining === 'withdrawn'
        ? []
        : [
            'Cannot add community "nobody" to paths inside "10.244.0.0/16": no entry of communities has this name, expected one',
          ]),
    ]);
    return Object.fromEntries(desired.paths);
  };
  const nextHop = ADDRESS.n1;
  const pods = { nextHop, communities: [64512 * 65536 + 7], largeCommunities: [[64512, 1, 2]] };
  assert.deepEqual(paths(), {
    '10.244.1.0/24': pods,
    '10.244.77.3/32': pods,
    '10.96.0.0/16': { nextHop, communities: [4294967041] },
  });
  const leaving = { ...pods, communities: [64512 * 65536 + 7, GRACEFUL_SHUTDOWN], localPref: 0 };
  assert.deepEqual(paths('announced'), { '10.244.1.0/24': leaving, '10.244.77.3/32': leaving });
  assert.deepEqual(paths('withdrawn'), {});
});
