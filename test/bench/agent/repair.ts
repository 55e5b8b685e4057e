// Somebody else takes a rule, or the route of a pod, and the agent puts it back: from the end of the foreign program's
// run until it is there again. It was seen before it was repaired.
import { inNetns } from '../../../lib/linux/netns.ts';
import { dumpRoutes } from '../../../lib/linux/routes.ts';
import { openRtnl } from '../../../lib/linux/rtnl.ts';
import { openNftables } from '../../../lib/nftables/nfnetlink.ts';
import { waitFor } from '../../../lib/wait-for.ts';
import { run } from '../program.ts';
import { type Goal, resultOf } from '../results.ts';
import type { Result } from '../types.ts';
import type { AgentWorld } from './world.ts';

const GOAL: Goal = { text: 'p99 <= 500 ms', met: ({ ours }) => ours.p99 <= 500 };
/** An agent that is contradicted more than ten times in a row takes its time. */
const ROUNDS = 5;

export async function repairLines(world: AgentWorld, rounds = ROUNDS): Promise<readonly Result[]> {
  const rules: number[] = [];
  const routes: number[] = [];
  for (let round = 0; round < rounds; round++) {
    rules.push(await ruleRepair(world));
    routes.push(await routeRepair(world, round));
  }
  const line = (what: string, ours: readonly number[]): Result =>
    resultOf({ name: `${what} by somebody else, until it is back`, unit: 'ms', ours, goal: GOAL });
  return [line('rule deleted', rules), line('route deleted', routes)];
}

async function ruleRepair({ agent: { netns } }: AgentWorld): Promise<number> {
  // Not the text: a repair raises the generation in the rules.
  const rules = async (): Promise<readonly string[]> => {
    const listing = await netns.exec('nft', '-a', 'list', 'chain', 'inet', 'margay', 'fwd_ingress');
    return [...listing.matchAll(/^\t\t\S.* # handle (\d+)$/gm)].flatMap(([, handle]) => handle ?? []);
  };
  const before = await rules();
  const nft = inNetns(netns.path, openNftables);
  try {
    const handle = before[0] ?? '';
    inNetns(netns.path, () => run('nft', 'delete', 'rule', 'inet', 'margay', 'fwd_ingress', 'handle', handle));
    const began = performance.now();
    // The number of the last commit, which costs next to nothing to ask for; listing a large table costs the agent's time.
    const deleted = nft.generation();
    await waitFor('another commit', () => nft.generation() !== deleted, { timeoutMs: 20_000, everyMs: 1 });
    const ms = performance.now() - began;
    const after = await rules();
    if (after.length !== before.length) {
      throw new Error(`Cannot trust the repair: ${after.length} rules, expected ${before.length}`);
    }
    return ms;
  } finally {
    nft.close();
  }
}

async function routeRepair({ agent: { netns }, pods }: AgentWorld, pod: number): Promise<number> {
  const dst = `${pods.ipOf(pod)}/32`;
  const rtnl = inNetns(netns.path, openRtnl);
  try {
    inNetns(netns.path, () => run('ip', 'route', 'del', dst));
    const began = performance.now();
    const isBack = (): boolean => dumpRoutes(rtnl, { family: 4 }).some((route) => route.dst === dst);
    if (isBack()) throw new Error(`Cannot measure the repair of route ${dst}: it is there, expected it to be deleted`);
    await waitFor('the route to be back', isBack, { timeoutMs: 20_000, everyMs: 1 });
    return performance.now() - began;
  } finally {
    rtnl.close();
  }
}
