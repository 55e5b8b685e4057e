// Routers of two kinds above a node, one of them configured as each document says, and one two hops away: from objects to
// the routes of all kernels, and packets that go on while programs die.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { type FlowEnd, startFlowEnd } from '../support/flow-end.ts';
import type { TestNetns } from '../support/netns.ts';
import { watchArrivals } from '../support/route-arrivals.ts';
import { askFrr } from '../support/tor-router.ts';
import {
  CORE,
  CORE_HOST,
  CORE_ROUTES,
  corePeer,
  NODE,
  type Racks,
  startRacks,
  TOR_A,
  TOR_B,
  UPSTREAM,
} from './racks-world.ts';

/** A call that comes while the other side still refuses costs gobgpd up to 14 s, and BIRD and FRR wait between calls, too. */
const WAIT = { timeoutMs: 90_000 };
const PORT = 7000;
const SERVICE = '10.96.0.9';
const NOBODYS = '10.96.0.10';

test('a node below two routers and one further away', async (t) => {
  const racks = await startRacks(t);
  await t.test('sessions as the documents say, secured ones and one over two hops', () => converges(racks));
  await t.test('packets flow while the agent and gobgpd are killed in every phase', (step) => killed(step, racks));
  await t.test('a peer that announces too much is cut off, alone', () => overLimit(racks));
  await t.test('a service is announced where it is served, and nothing circles for one that is not', () =>
    services(racks),
  );
  await t.test('a router that goes leaves its routes to the other', () => withoutB(racks));
});

async function converges({ node, torA, torB, core, block }: Racks): Promise<void> {
  await becomes(
    () => routes(node.netns, '177'),
    [
      ...CORE_ROUTES.map((prefix) => `${prefix} via ${TOR_A}`),
      // Equal paths are one route.
      `${UPSTREAM} via ${TOR_B} via ${TOR_A}`,
      `${CORE} via ${TOR_A}`,
    ],
  );
  const below = [`${block} via ${NODE}`];
  await becomes(() => routes(torA.netns, 'bgp'), below);
  await becomes(() => routes(torB.netns, 'bird'), below);
  await becomes(() => routes(core.netns, 'bird'), [`${block} via 203.0.113.129`]);
  // What one router says is not passed on to the other.
  assert.doesNotMatch(await askFrr(torA, 'show bgp ipv4 unicast'), /64601|64700/);
  const ttl = await torA.netns.exec('nft', 'list', 'table', 'ip', 'ttl');
  assert.match(ttl, /counter secured \{\s*packets [1-9]/);
  assert.match(ttl, /counter other \{\s*packets 0 /);
}

async function killed(t: TestContext, { node, gobgpd, torA, torB, core, pod, block, put }: Racks): Promise<void> {
  const served = await startFlowEnd(pod.netns, 'udp-serve', PORT);
  // In by the route of FRR, which keeps it for a peer that restarts; out by one that the node has learned.
  await startFlowEnd(torA.netns, 'udp-send', pod.ip, PORT, 5);
  const out = await startFlowEnd(core.netns, 'udp-ask', pod.ip, PORT, 5);
  const flowing = async (): Promise<void> => {
    await served.flows();
    await out.flows();
  };
  await flowing();
  const [ofNode, ofTor] = [watchArrivals(t, node.netns), watchArrivals(t, torA.netns)];
  const sessions = async (): Promise<readonly Peer[]> => (await bgp(node)).peers;
  const ready = async (): Promise<void> => {
    await waitFor(
      'three sessions',
      async () => {
        const { settled, peers } = await bgp(node);
        return settled && peers.filter(({ state }) => state === 'established').length === 3;
      },
      WAIT,
    );
  };
  await ready();

  const before = await sessions();
  await node.kill();
  await flowing();
  await node.start();
  await ready();
  assert.deepEqual(
    (await sessions()).map(({ address, flaps }) => ({ address, flaps })),
    before.map(({ address, flaps }) => ({ address, flaps })),
    'the sessions outlived the agent',
  );

  // Established, then before it was driven, then before its peers were there, then under a change.
  await gobgpd.crash();
  await flowing();
  gobgpd.start();
  await waitFor('gobgpd to be up', async () => (await node.netns.exec('ss', '-xlH')).includes(gobgpd.socketPath), WAIT);
  await gobgpd.crash();
  gobgpd.start();
  await waitFor('gobgpd to listen', async () => (await node.netns.exec('ss', '-tlnH')).includes(`${NODE}:179`), WAIT);
  await gobgpd.crash();
  await flowing();
  gobgpd.start();
  await ready();
  await put(communities);
  await gobgpd.crash();
  await flowing();
  gobgpd.start();
  await ready();
  const atB = (): Promise<string> =>
    torB.netns.exec('birdc', '-s', `${torB.folder}/bird.ctl`, 'show', 'route', 'all', block);
  await waitFor('the change', async () => /\(64512, ?100\)/.test(await atB()), WAIT);
  await flowing();

  assert.deepEqual(
    { learned: ofNode.takeDeleted(), atRouter: ofTor.takeDeleted(), in: lost(served), out: lost(out) },
    { learned: 0, atRouter: 0, in: 0, out: 0 },
  );
}

async function overLimit({ node, torA, put, block }: Racks): Promise<void> {
  const others = async (): Promise<readonly Peer[]> =>
    (await bgp(node)).peers
      .filter(({ address }) => address !== CORE)
      .map(({ address, state, flaps }) => ({ address, state, flaps }));
  const before = await others();
  await put(corePeer({ maxPrefixes: CORE_ROUTES.length - 1, gracefulRestart: { enabled: false } }));
  await becomes(() => routes(node.netns, '177'), [`${UPSTREAM} via ${TOR_B} via ${TOR_A}`, `${CORE} via ${TOR_A}`]);
  assert.deepEqual(await others(), before);
  assert.deepEqual(await routes(torA.netns, 'bgp'), [`${block} via ${NODE}`]);
  await put(corePeer({ gracefulRestart: { enabled: false } }));
  await waitFor(
    'the routes of the core',
    async () => (await routes(node.netns, '177')).includes(`${CORE_ROUTES[0]} via ${TOR_A}`),
    WAIT,
  );
}

async function services({ node, torA, torB, pod, put, block }: Racks): Promise<void> {
  await put({
    ...communities,
    spec: { ...communities.spec, serviceClusterIPs: [{ cidr: '10.96.0.0/16' }] },
  });
  await put({
    kind: 'Service',
    metadata: { name: 'web', namespace: 'shop' },
    spec: { type: 'LoadBalancer', clusterIP: SERVICE, clusterIPs: [SERVICE], externalTrafficPolicy: 'Local' },
  });
  const slice = (ready: boolean) =>
    ({
      kind: 'EndpointSlice',
      metadata: { name: 'web-1', namespace: 'shop', labels: { 'kubernetes.io/service-name': 'web' } },
      addressType: 'IPv4',
      endpoints: [{ addresses: [pod.ip], nodeName: 'node1', conditions: { ready } }],
    }) as const;
  await put(slice(true));
  const own = [`10.96.0.0/16 via ${NODE}`, `${block} via ${NODE}`];
  const both = async (expected: readonly string[]): Promise<void> => {
    await becomes(() => routes(torA.netns, 'bgp'), expected);
    await becomes(() => routes(torB.netns, 'bird'), expected);
  };
  await both([...own, `${SERVICE} via ${NODE}`]);

  // In the place of kube-proxy.
  await node.netns.exec(
    'nft',
    `table ip proxy {
 chain pre {
       type nat hook prerouting priority dstnat
       ip daddr ${SERVICE} udp dport 80 dnat to ${pod.ip}:${PORT}
     }
 }`,
  );
  const answers = await startFlowEnd(torB.netns, 'udp-ask', SERVICE, 80, 5);
  await answers.flows();

  await put(slice(false));
  await both(own);

  // The router has the range from the node, and the node its default route from the router.
  await torA.netns.exec(
    'nft',
    `table ip back {
 chain pre {
       type filter hook prerouting priority 0
       ip daddr 10.96.0.0/16 iifname "eth0" counter
     }
 }`,
  );
  await startFlowEnd(torA.netns, 'udp-send', NOBODYS, 80, 5);
  const dropped = async (): Promise<number> => {
    const text = await node.netns.exec('nft', 'list', 'counter', 'inet', 'margay', 'd_service');
    return Number(/packets (\d+)/.exec(text)?.[1]);
  };
  await waitFor('packets for nobody', async () => (await dropped()) >= 20, WAIT);
  assert.match(await torA.netns.exec('nft', 'list', 'table', 'ip', 'back'), /counter packets 0 /);
}

async function withoutB({ node, torB }: Racks): Promise<void> {
  // Graceful restart would wait for a router that stops without a word; told to stop, BIRD says so.
  await torB.netns.exec('birdc', '-s', `${torB.folder}/bird.ctl`, 'down');
  await waitFor(
    'the route by the other router alone',
    async () => (await routes(node.netns, '177')).includes(`${UPSTREAM} via ${TOR_A}`),
    WAIT,
  );
  assert.match(await node.netns.exec('ip', 'route', 'get', '203.0.113.1'), new RegExp(`via ${TOR_A} `));
  assert.ok((await routes(node.netns, '177')).some((route) => route.startsWith(CORE_HOST.replace(/\.1$/, '.0'))));
}

const communities = {
  kind: 'BGPConfiguration',
  metadata: { name: 'default' },
  spec: { prefixAdvertisements: [{ cidr: '10.244.0.0/16', communities: ['64512:100'] }] },
} as const;

type Peer = { readonly address: string; readonly state: string; readonly flaps: number };
type BgpStatus = { readonly settled: boolean; readonly peers: readonly Peer[] };

/** With its peers by address: gobgpd lists them as it likes. */
async function bgp(node: Racks['node']): Promise<BgpStatus> {
  const { settled, peers } = ((await node.status()) as { readonly bgp: BgpStatus }).bgp;
  return { settled, peers: peers.toSorted((a, b) => (a.address < b.address ? -1 : 1)) };
}

const lost = (flow: FlowEnd): number => flow.report().missing;

/** Waits for an answer, and shows the last one when it never came. */
async function becomes(read: () => Promise<readonly string[]>, expected: readonly string[]): Promise<void> {
  const wanted = expected.toSorted();
  let last: readonly string[] = [];
  await waitFor(
    wanted.join(),
    async () => {
      last = await read();
      return last.join() === wanted.join();
    },
    WAIT,
  ).catch(() => assert.deepEqual(last, wanted));
}

/** `PREFIX via GATEWAY…`, sorted; without blackholes and routes on a link. */
async function routes(netns: TestNetns, protocol: string): Promise<readonly string[]> {
  const found = JSON.parse(await netns.exec('ip', '-j', 'route', 'show', 'proto', protocol)) as readonly KernelRoute[];
  return found
    .flatMap(({ dst, gateway, nexthops }) => {
      const gateways = gateway === undefined ? (nexthops ?? []).map((hop) => hop.gateway) : [gateway];
      return gateways.length === 0
        ? []
        : [
            `${dst} ${gateways
              .sort()
              .map((each) => `via ${each}`)
              .join(' ')}`,
          ];
    })
    .sort();
}

type KernelRoute = {
  readonly dst: string;
  readonly gateway?: string;
  readonly nexthops?: readonly { readonly gateway: string }[];
};
