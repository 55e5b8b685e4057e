// Path selection up to the point where paths count as equal and share the traffic: RFC 4271 §9.1.2.2 without its tie
// breakers (interior cost, router id, address). gobgpd marks the best path alone, and not in the same way in every
// version; so the set is made here.
import type { RibPath } from './types.ts';

export type SelectionStep = {
  /** For people, as the end of "kept by". */
  readonly rule: string;
  /** Of some paths at least one. */
  readonly keep: (paths: readonly RibPath[]) => readonly RibPath[];
};

/** In the order in which they are asked. */
export const SELECTION_STEPS: readonly SelectionStep[] = [
  { rule: 'highest LOCAL_PREF', keep: lowest((path) => -path.localPref) },
  { rule: 'shortest AS path', keep: lowest((path) => path.asPathLength) },
  { rule: 'lowest ORIGIN', keep: lowest((path) => path.origin) },
  // MED ranks the ways into one neighbouring AS; between two ASes it says nothing.
  {
    rule: 'lowest MED of each neighbouring AS',
    keep: (paths) =>
      paths.filter((path) => !paths.some((other) => neighbourAs(other) === neighbourAs(path) && other.med < path.med)),
  },
  { rule: 'eBGP before iBGP', keep: lowest((path) => (path.ebgp ? 0 : 1)) },
];

/** The paths of one prefix that are equally good and better than all others; of some, at least one. */
export function bestPaths(paths: readonly RibPath[]): readonly RibPath[] {
  let left = paths;
  for (const { keep } of SELECTION_STEPS) {
    if (left.length < 2) return left;
    left = keep(left);
  }
  return left;
}

function lowest(rank: (path: RibPath) => number): SelectionStep['keep'] {
  return (paths) => {
    const least = Math.min(...paths.map(rank));
    return paths.filter((path) => rank(path) === least);
  };
}

/** The AS that a path was received from; 0 for one of our own AS. */
const neighbourAs = (path: RibPath): number => path.asPath[0] ?? 0;
