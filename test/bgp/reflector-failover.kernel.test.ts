// A route reflector dies while packets flow: the controller chooses another before the dead one goes, and no route of
// either node leaves its kernel. One node is the real agent with its gobgpd, the other and the reflectors are BIRD, which
// dials at once.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { parseResource } from '../../datastore/resources/parse.ts';
import { unwrap } from '../../lib/result.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { startAgentGobgpd } from '../support/agent-gobgpd.ts';
import { type AgentNode, agentNode } from '../support/agent-node.ts';
import { openSegment, type Router } from '../support/bgp-segment.ts';
import { startFlowEnd } from '../support/flow-end.ts';
import type { TestNetns } from '../support/netns.ts';
import { watchArrivals } from '../support/route-arrivals.ts';
import { spawnBird } from '../support/tor-router.ts';

const ROOT = join(import.meta.dirname, '..', '..');
const WAIT = { timeoutMs: 90_000 };
const NODE1 = '198.51.100.11';
const NODE2 = '198.51.100.12';
/** Below the nodes, so that they dial. */
const REFLECTORS = { r1: '198.51.100.1', r2: '198.51.100.2', r3: '198.51.100.3' } as const;
const BLOCK2 = '10.244.2.0/24';
const HOST2 = '10.244.2.2';
const PORT = 7000;
const SETTLE_SECONDS = 10;

test('a route reflector that dies is replaced, and no packet is lost', async (t) => {
  const segment = await openSegment(t);
  const node1 = await agentNode(t);
  await segment.plug(node1.netns, 'uplink');
  const node2 = await segment.attach('node2', NODE2);
  await node2.netns.exec('ip', 'address', 'add', `${HOST2}/32`, 'dev', 'lo');
  const reflectors = new Map<string, ChildProcess>();
  for (const [name, address] of Object.entries({ node2: NODE2, ...REFLECTORS })) {
    await node1.create({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name, labels: { reflects: name === 'node2' ? 'no' : 'yes' } },
      status: { addresses: [{ type: 'InternalIP', address }] },
    });
    if (name !== 'node2') reflectors.set(name, startReflector(await segment.attach(name, address)));
  }
  startAgentGobgpd(node1);
  startNode2(node2);
  const path = join(dirname(dirname(node1.controlSocket)), 'datastore.db');
  const words = ['controller', '--datastore', path, '--settle-seconds', String(SETTLE_SECONDS)];
  node1.netns.spawn(process.execPath, [join(ROOT, 'cli/main.ts'), ...words], { stdio: 'ignore' });
  await node1.create({
    apiVersion: 'projectcalico.org/v3',
    kind: 'BGPConfiguration',
    metadata: { name: 'default' },
    spec: {
      nodeToNodeMeshEnabled: false,
      routeReflectors: { perZone: 1, nodeSelector: "reflects == 'yes'" },
    },
  });
  await node1.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  const chosen = followChoice(t, node1);
  await node1.start();
  const pod = await node1.addPod('shop', 'web');
  const [block = ''] = (await node1.store.list('IPBlock')).items.map(({ spec }) => spec.cidr);

  await waitFor('the first choice', () => chosen().at(-1) === 'r1', WAIT);
  await routed(node1.netns, BLOCK2, NODE2);
  await routed(node2.netns, block, NODE1);
  const served = await startFlowEnd(pod.netns, 'udp-serve', PORT);
  await startFlowEnd(node2.netns, 'udp-send', pod.ip, PORT, 5);
  const answered = await startFlowEnd(node2.netns, 'udp-serve', PORT);
  await startFlowEnd(pod.netns, 'udp-send', HOST2, PORT, 5);
  await Promise.all([served.flows(), answered.flows()]);
  const [kernel1, kernel2] = [watchArrivals(t, node1.netns), watchArrivals(t, node2.netns)];

  reflectors.get('r1')?.kill('SIGKILL');
  await notReady(node1, 'r1');
  await waitFor('the second choice', () => chosen().at(-1) === 'r2', WAIT);
  // Two at a time, never none.
  assert.deepEqual(chosen(), ['', 'r1', 'r1,r2', 'r2']);
  await waitFor('the session with it alone', async () => (await sessions(node1)) === REFLECTORS.r2, WAIT);
  await Promise.all([served.flows(), answered.flows()]);
  await routed(node1.netns, BLOCK2, NODE2);
  await routed(node2.netns, block, NODE1);
  assert.deepEqual(
    { to: served.report().missing, from: answered.report().missing },
    { to: 0, from: 0 },
    'packets that were lost',
  );
  assert.deepEqual([kernel1.takeDeleted(), kernel2.takeDeleted()], [0, 0], 'routes that were deleted');
});

/** The answer tells which nodes were chosen, at each change. */
function followChoice(t: TestContext, { store }: AgentNode): () => readonly string[] {
  const stop = new AbortController();
  t.after(() => stop.abort());
  const chosen = new Set<string>();
  const history: string[] = [''];
  let problem: unknown;
  void (async () => {
    for await (const event of store.watch(['Node'], stop.signal)) {
      if (event.kind !== 'put') continue;
      const { name, annotations } = event.resource.metadata;
      if (annotations?.['projectcalico.org/RouteReflectorClusterID'] === undefined) chosen.delete(name);
      else chosen.add(name);
      const now = [...chosen].sort().join();
      if (history.at(-1) !== now) history.push(now);
    }
  })().catch((error: unknown) => {
    problem = error;
  });
  return () => {
    if (problem !== undefined) throw problem;
    return history;
  };
}

async function notReady({ store }: AgentNode, name: string): Promise<void> {
  const node = await store.get('Node', undefined, name);
  assert.ok(node);
  const status = { ...node.status, conditions: [{ type: 'Ready', status: 'False' }] };
  await store.update(unwrap(parseResource({ ...node, status })));
}

/** Addresses of the peers, if all of them are established. */
async function sessions(node: AgentNode): Promise<string> {
  const { bgp } = (await node.status()) as { bgp: { peers: readonly { address: string; state: string }[] } };
  return bgp.peers.map(({ address, state }) => (state === 'established' ? address : state)).join();
}

async function routed({ exec }: TestNetns, prefix: string, gateway: string): Promise<void> {
  const found = async (): Promise<string> => exec('ip', 'route', 'show', prefix, 'type', 'unicast');
  await waitFor(`a route to ${prefix}`, async () => (await found()).includes(` via ${gateway} `), WAIT);
}

const session = (own: string, name: string, address: string, more: string): string => `
protocol bgp ${name} {
  local ${own} as 64512;
  neighbor ${address} as 64512;
  direct;
  connect delay time 1;
  connect retry time 2;
  error wait time 1, 2;
  ${more}
}`;

function startReflector(router: Router): ChildProcess {
  const more = 'rr client; graceful restart on; ipv4 { import all; export where source = RTS_BGP; gateway direct; };';
  const sessions = Object.entries({ node1: NODE1, node2: NODE2 }).map(([name, address]) =>
    session(router.address, name, address, more),
  );
  return spawnBird(router, `router id ${router.address};\nprotocol device { }\n${sessions.join('\n')}\n`);
}

function startNode2(router: Router): void {
  const more = 'ipv4 { import all; export where source = RTS_STATIC; gateway direct; };';
  const sessions = Object.entries(REFLECTORS).map(([name, address]) => session(NODE2, name, address, more));
  spawnBird(
    router,
    `router id ${NODE2};
protocol device { }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
protocol static { ipv4; route ${BLOCK2} blackhole; }
${sessions.join('\n')}
`,
  );
}
