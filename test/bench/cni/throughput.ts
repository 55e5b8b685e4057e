// Calls per second with ten in flight, as a runtime makes them when a node fills up or empties.
import { type Goal, resultOf, timed } from '../results.ts';
import type { Bench } from '../types.ts';
import { checkAttached, settled } from './check.ts';
import { type CniVerb, callAll, cniWorld } from './world.ts';

const IN_FLIGHT = 10;

export const throughput: Bench = {
  name: 'throughput',
  run: async ({ scope, scale }) => {
    const [pods, rounds] = scale === 'full' ? [100, 6] : [12, 1];
    const world = await cniWorld(scope, { pods, policy: 'shared' });
    const rates = {
      ours: { ADD: [] as number[], DEL: [] as number[] },
      other: { ADD: [] as number[], DEL: [] as number[] },
    };
    for (let round = -1; round < rounds; round++) {
      const order = round % 2 === 0 ? (['ours', 'other'] as const) : (['other', 'ours'] as const);
      for (const verb of ['ADD', 'DEL'] as const) {
        for (const who of order) {
          const ms = timed(() => callAll(world[who], verb, { to: pods, inFlight: IN_FLIGHT }));
          if (round >= 0) rates[who][verb].push((pods * 1000) / ms);
        }
        if (verb === 'ADD') checkAttached(world);
        else await settled(world);
      }
    }
    const line = (verb: CniVerb, goal?: Goal) =>
      resultOf({
        name: `${verb}, ${IN_FLIGHT} in flight`,
        unit: `${verb}/s`,
        ours: rates.ours[verb],
        other: { name: 'ptp + host-local, no policy', samples: rates.other[verb] },
        ...(goal === undefined ? {} : { goal }),
      });
    return [line('ADD', TWICE), line('DEL')];
  },
};

const TWICE: Goal = {
  text: 'ratio >= 2',
  met: ({ ours, other }) => other !== undefined && ours.p50 >= 2 * other.p50,
};
