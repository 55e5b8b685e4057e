// When routes come to a kernel and go from it, seen from outside the programs that write them.
import type { Cidr } from '../../lib/cidr.ts';
import { inNetns } from '../../lib/linux/netns.ts';
import { monitorRoutes } from '../../lib/linux/route-monitor.ts';
import { waitFor } from '../../lib/wait-for.ts';
import type { Scope } from './bgp-segment.ts';
import type { TestNetns } from './netns.ts';

export type RouteArrivals = {
  /** Waits for the first notice of a route to `dst`; the time of it by `performance.now()`. */
  readonly arrival: (dst: Cidr) => Promise<number>;
  /** How many routes were deleted since the last call. */
  readonly takeDeleted: () => number;
};

/** How exact a time is, in milliseconds. */
const RESOLUTION_MS = 1;

export function watchArrivals(scope: Scope, netns: TestNetns): RouteArrivals {
  const arrived = new Map<Cidr, number>();
  const stop = new AbortController();
  let deleted = 0;
  let problem: string | undefined;
  scope.after(() => stop.abort());
  inNetns(netns.path, () =>
    monitorRoutes({
      everyMs: RESOLUTION_MS,
      onEvents: (events) => {
        const now = performance.now();
        if (events.kind === 'overrun') problem = 'events of the kernel were lost';
        for (const change of events.kind === 'changes' ? events.changes : []) {
          if (change.kind !== 'route') continue;
          if (change.event === 'deleted') deleted++;
          else if (!arrived.has(change.route.dst)) arrived.set(change.route.dst, now);
        }
      },
      onError: (error) => {
        problem = error.message;
      },
      signal: stop.signal,
    }),
  );
  const check = (): void => {
    if (problem !== undefined) throw new Error(`Cannot measure routes of "${netns.name}": ${problem}`);
  };
  return {
    arrival: (dst) =>
      waitFor(
        `a route to ${dst}`,
        () => {
          check();
          return arrived.get(dst);
        },
        { timeoutMs: 20_000, everyMs: 2 },
      ),
    takeDeleted: () => {
      check();
      const count = deleted;
      deleted = 0;
      return count;
    },
  };
}
