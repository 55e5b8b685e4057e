// The benchmark of the agent as a whole: one node, as full as the kubelet allows by default (110 pods), in a large cluster.
import type { Bench } from '../types.ts';
import { memoryLines } from './memory.ts';
import type { ClusterSize } from './objects.ts';
import { repairLines } from './repair.ts';
import { restartLines } from './restart.ts';
import { agentWorld } from './world.ts';

const FULL: ClusterSize = { local: 110, remote: 10_000, policies: 1000 };
/** Enough for the flow that is measured. */
const QUICK: ClusterSize = { local: 22, remote: 20, policies: 40 };

const node: Bench = {
  name: 'a full node',
  run: async ({ scope, scale }) => {
    const size = scale === 'full' ? FULL : QUICK;
    const world = await agentWorld(scope, size);
    const measured = { pid: world.agent.pid(), report: world.probeReport, scale };
    const what = `${size.local} pods, ${size.policies} policies, ${size.remote} remote pods`;
    const memory = await memoryLines(what, { ...measured, isGoal: true });
    const repair = await repairLines(world, scale === 'full' ? 5 : 1);
    const restart = await restartLines(scope, world, scale === 'full' ? 5 : 1);
    return [...memory, ...repair, ...restart];
  },
};

export const agentBenches: readonly Bench[] = [node];
