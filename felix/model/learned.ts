// Learned routes over restarts. What the kernel already has from an earlier life, or from before gobgpd went away, is
// stale but true until BGP has settled: every configured peer is established and has sent End-of-RIB, or the stale timer
// ran out. Until then stale routes stay unless a fresh path for the same prefix replaces them.
import type { Cidr } from '../../lib/cidr.ts';
import type { Ip } from '../../lib/ip.ts';

export type LearnedRoutes = ReadonlyMap<Cidr, readonly Ip[]>;

export type Learned = {
  /** Routes found in the kernel at start. */
  readonly adopt: (routes: LearnedRoutes) => void;
  /** What the present RIB says of a prefix, after the import rules; `undefined`: nothing. */
  readonly fresh: (prefix: Cidr, nextHops: readonly Ip[] | undefined) => void;
  /** gobgpd is gone and its RIB with it. */
  readonly lost: () => void;
  /** BGP has settled, or the stale timer ran out: stale routes go. */
  readonly settle: () => void;
  readonly settled: () => boolean;
  readonly at: (prefix: Cidr) => readonly Ip[] | undefined;
  readonly all: () => LearnedRoutes;
};

export function createLearned(): Learned {
  let stale: LearnedRoutes = new Map();
  let current = new Map<Cidr, readonly Ip[]>();
  let settled = false;
  const all = (): LearnedRoutes => new Map([...stale, ...current]);
  return {
    adopt: (routes) => {
      stale = new Map([...routes, ...stale]);
    },
    fresh: (prefix, nextHops) => {
      if (nextHops === undefined) current.delete(prefix);
      else current.set(prefix, nextHops);
    },
    lost: () => {
      stale = all();
      current = new Map();
      settled = false;
    },
    settle: () => {
      stale = new Map();
      settled = true;
    },
    settled: () => settled,
    at: (prefix) => current.get(prefix) ?? stale.get(prefix),
    all,
  };
}
