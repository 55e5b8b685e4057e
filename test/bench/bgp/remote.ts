// A node claims a block in a cluster with thousands of them, and the route comes to the kernel of another node: our agent
// with its gobgpd, and BIRD beside it, which hears the same announcements. Then the gobgpd of the agent is killed.
import { readFileSync } from 'node:fs';
import { desiredBgp } from '../../../bgp/model/desired.ts';
import type { DesiredBgp } from '../../../bgp/model/types.ts';
import type { Cidr } from '../../../lib/cidr.ts';
import { inNetns } from '../../../lib/linux/netns.ts';
import { dumpRoutes } from '../../../lib/linux/routes.ts';
import { openRtnl } from '../../../lib/linux/rtnl.ts';
import { waitFor } from '../../../lib/wait-for.ts';
import { type AgentGobgpd, startAgentGobgpd } from '../../support/agent-gobgpd.ts';
import { type AgentNode, agentNode } from '../../support/agent-node.ts';
import { openSegment, type Router, startSpeaker } from '../../support/bgp-segment.ts';
import { NEVER, nodeObject } from '../../support/bgp-world.ts';
import type { TestNetns } from '../../support/netns.ts';
import { watchArrivals } from '../../support/route-arrivals.ts';
import { startBirdNode } from '../../support/tor-router.ts';
import { type Goal, resultOf } from '../results.ts';
import type { Bench, Result, Scope } from '../types.ts';
import { manyPool, manyPrefixes, nodeAddress } from './plan.ts';

/** The lower address dials, so BIRD need not. `filler` has the many blocks, `claimer` claims one after the other. */
const ADDRESS = { filler: nodeAddress(1), claimer: nodeAddress(2), node1: nodeAddress(11), bird: nodeAddress(20) };
const NODES = Object.entries(ADDRESS).map(([name, address]) => nodeObject(name, address));
const PATIENCE = { timeoutMs: 120_000, everyMs: 100 };

export const remote: Bench = {
  name: 'remote',
  run: async ({ scope, scale }) => {
    const [routes, claims, restarts] = scale === 'full' ? [5000, 200, 3] : [200, 5, 1];
    const world = await remoteWorld(scope, routes);
    return [
      ...(await measureClaims(scope, world, claims)),
      ...(await measureRestarts(scope, world, restarts)),
      ...memory(world),
    ];
  },
};

type World = {
  readonly routes: number;
  readonly agent: AgentNode;
  readonly gobgpd: AgentGobgpd;
  readonly bird: Router;
  /** Makes the claimer's gobgpd have these blocks besides those it has. */
  readonly claim: (block: Cidr) => Promise<void>;
};

async function remoteWorld(scope: Scope, routes: number): Promise<World> {
  const segment = await openSegment(scope);
  const routers = {
    filler: await segment.attach('filler', ADDRESS.filler),
    claimer: await segment.attach('claimer', ADDRESS.claimer),
    bird: await segment.attach('bird', ADDRESS.bird),
  };
  const agent = await agentNode(scope);
  await segment.plug(agent.netns, 'uplink');
  for (const node of NODES) if (node.metadata.name !== 'node1') await agent.create(node);
  await agent.create(manyPool);
  const gobgpd = startAgentGobgpd(agent);
  const others = [ADDRESS.filler, ADDRESS.claimer, ADDRESS.node1];
  startBirdNode(routers.bird, { asn: 64512, nodes: others });
  const filler = startSpeaker(scope, routers.filler, undefined, 'error');
  const claimer = startSpeaker(scope, routers.claimer, undefined, 'error');
  await Promise.all([agent.start(), filler.seen('up'), claimer.seen('up')]);
  const blocks = [...manyPrefixes(1, routes)];
  await filler.gobgp.apply(desiredOf('filler', manyPrefixes(routes)), NEVER);
  await claimer.gobgp.apply(desiredOf('claimer', blocks), NEVER);
  // Everybody's: those of the filler, one of the claimer and, for BIRD, one of the agent.
  await waitFor('the routes of the agent', () => count(agent.netns) >= routes + 1, PATIENCE);
  await waitFor('the routes of BIRD', () => count(routers.bird.netns) >= routes + 2, PATIENCE);
  await waitFor('the agent to settle', async () => (await bgpOf(agent)).settled, PATIENCE);
  return {
    routes,
    agent,
    gobgpd,
    bird: routers.bird,
    claim: async (block) => {
      blocks.push(block);
      const { problems } = await claimer.gobgp.apply(desiredOf('claimer', blocks), NEVER);
      if (problems.length > 0) throw new Error(problems.join());
    },
  };
}

async function measureClaims(scope: Scope, { routes, agent, bird, claim }: World, claims: number) {
  const ours = watchArrivals(scope, agent.netns);
  const other = watchArrivals(scope, bird.netns);
  const times = { claim: [] as number[], ours: [] as number[], other: [] as number[], alone: [] as number[] };
  // The first ones are for the compilers: nobody counts them.
  for (const [index, block] of manyPrefixes(claims + WARM_UP, routes + 1).entries()) {
    const began = performance.now();
    await claim(block);
    const sent = performance.now();
    const [here, there] = await Promise.all([ours.arrival(block), other.arrival(block)]);
    if (index < WARM_UP) continue;
    times.claim.push(sent - began);
    times.ours.push(here - began);
    times.other.push(there - began);
    times.alone.push(Math.max(0, here - there));
  }
  const among = `of ${routes} routes`;
  return [
    resultOf({
      name: `block claimed, to route in a remote kernel, ${among}`,
      unit: 'ms',
      ours: times.ours,
      other: { name: 'BIRD hears the same', samples: times.other },
      goal: CLAIM_GOAL,
    }),
    resultOf({
      name: `until the claiming node has compared everything with its gobgpd, ${among}`,
      unit: 'ms',
      ours: times.claim,
    }),
    resultOf({ name: `route later than in BIRD's kernel, ${among}`, unit: 'ms', ours: times.alone }),
  ];
}

const WARM_UP = 3;
const CLAIM_GOAL: Goal = { text: 'p99 <= 50 ms', met: ({ ours }) => ours.p99 <= 50 };

async function measureRestarts(
  scope: Scope,
  { routes, agent, gobgpd }: World,
  restarts: number,
): Promise<readonly Result[]> {
  const watched = watchArrivals(scope, agent.netns);
  const lost: number[] = [];
  const settled: number[] = [];
  for (let i = 0; i < restarts; i++) {
    watched.takeDeleted();
    await gobgpd.crash();
    await waitFor('the agent to notice', async () => !(await bgpOf(agent)).connected, PATIENCE);
    const began = performance.now();
    gobgpd.start();
    await waitFor('the agent to settle', async () => (await bgpOf(agent)).settled, PATIENCE);
    settled.push((performance.now() - began) / 1000);
    lost.push(watched.takeDeleted());
    if (count(agent.netns) < routes) throw new Error('Cannot go on: routes are missing after the restart');
  }
  const what = `gobgpd killed, ${routes} routes`;
  return [
    resultOf({ name: `${what}: deleted in the kernel`, unit: 'routes', ours: lost, goal: NONE }),
    resultOf({ name: `${what}: until all peers have told everything`, unit: 's', ours: settled }),
  ];
}

const NONE: Goal = { text: '0', met: ({ ours }) => ours.p99 === 0 };

function memory({ routes, agent, gobgpd }: World): readonly Result[] {
  const line = (name: string, pid: number): Result =>
    resultOf({ name: `memory of ${name}, ${routes} routes, resident`, unit: 'MB', ours: [residentMb(pid)] });
  return [line('the agent', agent.pid()), line('its gobgpd', gobgpd.pid())];
}

function residentMb(pid: number): number {
  const kib = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return (Number(kib) * 1024) / 1e6;
}

function desiredOf(node: string, blocks: readonly Cidr[]): DesiredBgp {
  const { desired, problems } = desiredBgp({ node, nodes: NODES, peers: [], blocks, pools: [] });
  if (desired === undefined || problems.length > 0) throw new Error(`Cannot go on: ${problems.join()}`);
  return desired;
}

type BgpStatus = { readonly connected: boolean; readonly settled: boolean };
const bgpOf = async (agent: AgentNode): Promise<BgpStatus> =>
  ((await agent.status()) as { readonly bgp: BgpStatus }).bgp;

/** Routes with a next hop. */
function count({ path }: TestNetns): number {
  const rtnl = inNetns(path, openRtnl);
  try {
    return dumpRoutes(rtnl, { family: 4 }).filter(({ nextHops }) => nextHops.length > 0).length;
  } finally {
    rtnl.close();
  }
}
