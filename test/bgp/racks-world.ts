// A node with two routers above it, FRR and BIRD as the documents tell to configure them, and a third router, BIRD, that is
// two hops away behind the first:
//
//   pod — node1 ─┬─ torA (FRR, AS 64600) ── core (BIRD, AS 64700, 10.244.210.0/24)
//                └─ torB (BIRD, AS 64601)
import type { TestContext } from 'node:test';
import { KINDS, type Kind } from '../../datastore/resources/index.ts';
import { parseManifest } from '../../datastore/resources/manifest.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import { unwrap } from '../../lib/result.ts';
import { type AgentGobgpd, startAgentGobgpd } from '../support/agent-gobgpd.ts';
import { type AgentNode, agentNode, type TestPod } from '../support/agent-node.ts';
import { openSegment, type Router } from '../support/bgp-segment.ts';
import { documentBlock } from '../support/document-block.ts';
import { spawnBird, spawnFrr } from '../support/tor-router.ts';

export const NODE = '198.51.100.11';
export const TOR_A = '198.51.100.254';
export const TOR_B = '198.51.100.253';
export const CORE = '203.0.113.130';
/** Behind both routers. */
export const UPSTREAM = '203.0.113.0/24';
/** Those of `core`; a pod reaches the first of them at .1. */
export const CORE_ROUTES = ['10.244.210.0/24', '10.244.211.0/24', '10.244.212.0/24', '10.244.213.0/24'] as const;
export const CORE_HOST = '10.244.210.1';
const CORE_GATEWAY = '203.0.113.129';

export type Racks = {
  readonly node: AgentNode;
  readonly gobgpd: AgentGobgpd;
  readonly torA: Router;
  readonly torB: Router;
  readonly core: Router;
  readonly pod: TestPod;
  readonly block: string;
  /** Creates or replaces an object, given without `apiVersion`. */
  readonly put: (raw: { readonly kind: Kind; readonly metadata: object } & Record<string, unknown>) => Promise<void>;
};

export const corePeer = (more: object = {}) =>
  ({
    kind: 'BGPPeer',
    metadata: { name: 'core' },
    spec: { peerIP: CORE, asNumber: 64_700, ebgpMultihop: 2, reachableBy: TOR_A, ...more },
  }) as const;

/** All is started, and nothing waited for but the agent. */
export async function startRacks(t: TestContext): Promise<Racks> {
  const segment = await openSegment(t);
  const torA = await segment.attach('torA', TOR_A);
  const torB = await segment.attach('torB', TOR_B);
  const core = await attachCore(segment.attach, torA);
  for (const { netns } of [torA, torB]) {
    await netns.exec('ip', 'address', 'add', '203.0.113.1/24', 'dev', 'lo');
    await netns.exec('sysctl', '-qw', 'net.ipv4.ip_forward=1');
  }
  await countTtl(torA);
  const node = await agentNode(t);
  await segment.plug(node.netns, 'uplink');
  // As on any node: what is nowhere else goes to a router.
  await node.netns.exec('ip', 'route', 'add', 'default', 'via', TOR_A);
  await spawnFrr(torA, documentBlock('docs/tor/frr.md', 'frr'));
  spawnBird(torB, documentBlock('docs/tor/bird.md', 'bird'));
  spawnBird(core, coreConfiguration);
  const gobgpd = startAgentGobgpd(node);
  const put: Racks['put'] = async (raw) => {
    const resource = unwrap(parseResource({ apiVersion: KINDS[raw.kind].apiVersion, ...raw }));
    const { name, namespace } = resource.metadata as { readonly name: string; readonly namespace?: string };
    const there = await node.store.get(raw.kind, namespace, name);
    await (there === undefined ? node.store.create(resource) : node.store.update(resource));
  };
  const own = await node.store.get('Node', undefined, 'node1');
  if (own === undefined) throw new Error('Cannot label node1: it is not there');
  await node.store.update({ ...own, metadata: { ...own.metadata, labels: { rack: 'r1' } } });
  for (const document of ['docs/tor/frr.md', 'docs/tor/bird.md']) {
    for (const entry of parseManifest(documentBlock(document, 'yaml'), document)) {
      if (!entry.ok) throw new Error(entry.error);
      await node.store.create(entry.value.resource);
    }
  }
  await put(corePeer());
  await put({ kind: 'Namespace', metadata: { name: 'shop' } });
  await node.start();
  const pod = await node.addPod('shop', 'web');
  const [block = ''] = (await node.store.list('IPBlock')).items.map(({ spec }) => spec.cidr);
  return { node, gobgpd, torA, torB, core, pod, block, put };
}

async function attachCore(attach: (name: string, address: string) => Promise<Router>, torA: Router): Promise<Router> {
  const core = await attach('core', '198.51.100.1');
  const { exec } = core.netns;
  // Not on the segment, but on a link of its own with torA.
  await exec('ip', 'link', 'del', 'eth0');
  await exec('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'eth1', 'netns', torA.netns.name);
  await exec('ip', 'address', 'add', `${CORE}/25`, 'dev', 'eth0');
  await exec('ip', 'address', 'add', `${CORE_HOST}/32`, 'dev', 'lo');
  await exec('ip', 'link', 'set', 'eth0', 'up');
  await exec('ip', 'route', 'add', 'default', 'via', CORE_GATEWAY, 'src', CORE_HOST);
  const first = torA.netns.exec;
  await first('ip', 'address', 'add', `${CORE_GATEWAY}/25`, 'dev', 'eth1');
  await first('ip', 'link', 'set', 'eth1', 'up');
  await first('ip', 'route', 'add', CORE_ROUTES[0], 'via', CORE);
  return core;
}

/** What comes from the node's speaker, by its time to live. */
const countTtl = ({ netns }: Router): Promise<string> =>
  netns.exec(
    'nft',
    `table ip ttl {
       counter secured { }
       counter other { }
       chain input {
         type filter hook input priority 0
         ip saddr ${NODE} tcp sport 179 tcp flags & psh == psh ip ttl 255 counter name secured
         ip saddr ${NODE} tcp dport 179 tcp flags & psh == psh ip ttl 255 counter name secured
         ip saddr ${NODE} tcp sport 179 tcp flags & psh == psh ip ttl != 255 counter name other
         ip saddr ${NODE} tcp dport 179 tcp flags & psh == psh ip ttl != 255 counter name other
       }
     }`,
  );

const coreConfiguration = `router id ${CORE};
protocol device { }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
protocol static nodes { ipv4; route 198.51.100.0/24 via ${CORE_GATEWAY}; }
protocol static blocks {
  ipv4;
${CORE_ROUTES.map((route) => `  route ${route} blackhole;`).join('\n')}
}
protocol bgp node {
  local ${CORE} as 64700;
  neighbor ${NODE} as 64512;
  multihop 2;
  connect delay time 1;
  connect retry time 2;
  error wait time 1, 4;
  ipv4 { import all; export where proto = "blocks"; };
}
`;
