// One ADD or DEL after the other, as long as the program of the call runs. The sides take turns in blocks, so that what
// one of them does after its answer falls on nobody else.
import { inNetns } from '../../../lib/linux/netns.ts';
import { runProgram } from '../program.ts';
import { type Goal, resultOf, timed } from '../results.ts';
import type { Bench, Result } from '../types.ts';
import { checkAttached, checkPolicy, settled } from './check.ts';
import { type CniVerb, type CniWorld, cniWorld, type PolicyShape, type Side } from './world.ts';

export const latency: Bench = {
  name: 'latency',
  run: async ({ scope, scale }) => {
    const [pods, rounds] = scale === 'full' ? [50, 8] : [5, 1];
    const results: Result[] = [];
    for (const policy of ['shared', 'own'] as const) {
      const world = await cniWorld(scope, { pods, policy });
      results.push(...report(policy, await measure(world, rounds)));
      await world.agent.kill();
    }
    return results;
  },
};

type Samples = Readonly<Record<'ours' | 'other', Readonly<Record<CniVerb, number[]>>>>;

async function measure(world: CniWorld, rounds: number): Promise<Samples> {
  const samples: Samples = { ours: { ADD: [], DEL: [] }, other: { ADD: [], DEL: [] } };
  // The first round is for the compilers of both: nobody counts it.
  for (let round = -1; round < rounds; round++) {
    const order = round % 2 === 0 ? (['ours', 'other'] as const) : (['other', 'ours'] as const);
    for (const verb of ['ADD', 'DEL'] as const) {
      for (const who of order) {
        const times = callEach(world[who], verb, world.pods);
        if (round >= 0) samples[who][verb].push(...times);
        if (who === 'ours' && verb === 'ADD') checkPolicy(world, world.pods - 1);
      }
      if (verb === 'ADD') checkAttached(world);
      else await settled(world);
    }
  }
  return samples;
}

const callEach = (side: Side, verb: CniVerb, pods: number): readonly number[] =>
  inNetns(side.netns.path, () =>
    Array.from({ length: pods }, (_, pod) => {
      const program = side.call(verb, pod);
      return timed(() => runProgram(program));
    }),
  );

function report(policy: PolicyShape, { ours, other }: Samples): readonly Result[] {
  const name = policy === 'shared' ? 'pods of ten kinds' : 'each pod with a policy of its own';
  const line = (verb: CniVerb, goal: Goal): Result =>
    resultOf({
      name: `${verb}, ${name}`,
      unit: 'ms',
      ours: ours[verb],
      other: { name: 'ptp + host-local, no policy', samples: other[verb] },
      goal,
    });
  return [line('ADD', ADD_GOAL), line('DEL', DEL_GOAL)];
}

const ADD_GOAL: Goal = {
  text: 'ratio <= 0.4, p99 <= 15 ms',
  met: ({ ours, other }) => other !== undefined && ours.p50 <= 0.4 * other.p50 && ours.p99 <= 15,
};
const DEL_GOAL: Goal = {
  text: 'ratio <= 0.1',
  met: ({ ours, other }) => other !== undefined && ours.p50 <= 0.1 * other.p50,
};
