// Path selection up to the point where paths count as equal and share the traffic: RFC 4271 §9.1.2.2 without its tie
// breakers (interior cost, router id, address). gobgpd marks the best path alone, and not in the same way in every
// version; so the set is made here.
import type { RibPath } from './types.ts';

/** The paths of one prefix that are equally good and better than all others; of some, at least one. */
export function bestPaths(paths: readonly RibPath[]): readonly RibPath[] {
  let left = keepLowest(paths, (path) => -path.localPref);
  left = keepLowest(left, (path) => path.asPathLength);
  left = keepLowest(left, (path) => path.origin);
  // MED ranks the ways into one neighbouring AS; between two ASes it says nothing.
  left = left.filter((path) => !left.some((other) => neighbourAs(other) === neighbourAs(path) && other.med < path.med));
  return keepLowest(left, (path) => (path.ebgp ? 0 : 1));
}

function keepLowest(paths: readonly RibPath[], rank: (path: RibPath) => number): readonly RibPath[] {
  if (paths.length < 2) return paths;
  const lowest = Math.min(...paths.map(rank));
  return paths.filter((path) => rank(path) === lowest);
}

/** The AS that a path was received from; 0 for one of our own AS. */
const neighbourAs = (path: RibPath): number => path.asPath[0] ?? 0;
