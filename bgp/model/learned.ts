// Which routes of the speaker's table may reach the kernel, and by which next hops. A peer can send anything; what it
// says about our own addresses, or about the world outside the pools, is not believed.
import { type Cidr, cidrContains, cidrFamily, cidrLength, cidrRange } from '../../lib/cidr.ts';
import { compareIp, type Ip, ipFamily, ipToBigInt } from '../../lib/ip.ts';
import { bestPaths } from './best-paths.ts';
import type { RibPath } from './types.ts';

export type LearnedInput = {
  /** The speaker's whole table; paths that originate here are passed over. */
  readonly paths: readonly RibPath[];
  readonly pools: readonly Cidr[];
  readonly ownBlocks: readonly Cidr[];
  /** Addresses of all nodes: how we reach a node is never up to BGP. */
  readonly nodeAddresses: readonly Ip[];
  /** Subnets of this node's own interfaces. Absent: none. */
  readonly connected?: readonly Cidr[] | undefined;
  /** Why packets cannot reach a next hop (RFC 4271 section 9.1.2: such a path is no candidate). Absent: they can. */
  readonly unreachable?: (nextHop: Ip) => string | undefined;
};

export type LearnedRoute = {
  /** One to eight, sorted, of the prefix's family. */
  readonly nextHops: readonly Ip[];
};

export type RejectedRoute = { readonly prefix: Cidr; readonly from: Ip; readonly why: string };

export type LearnedRoutes = {
  readonly routes: ReadonlyMap<Cidr, LearnedRoute>;
  /** One for each refused path, sorted by prefix and neighbour. */
  readonly rejected: readonly RejectedRoute[];
};

/** Next hops of one kernel route. */
const MAX_NEXT_HOPS = 8;

export function learnedRoutes(input: LearnedInput): LearnedRoutes {
  const refusal = createFilter(input);
  const candidates = new Map<Cidr, RibPath[]>();
  const rejected: RejectedRoute[] = [];
  const verdicts = new Map<Cidr, string | undefined>();
  for (const path of input.paths) {
    const { prefix, from } = path;
    if (path.local || from === undefined) continue;
    if (!verdicts.has(prefix)) verdicts.set(prefix, refusal(prefix));
    const why = verdicts.get(prefix) ?? nextHopRefusal(path) ?? input.unreachable?.(path.nextHop);
    if (why !== undefined) rejected.push({ prefix, from, why });
    else if (!candidates.get(prefix)?.push(path)) candidates.set(prefix, [path]);
  }
  const routes = new Map<Cidr, LearnedRoute>();
  for (const [prefix, paths] of candidates) {
    const nextHops = [...new Set(bestPaths(paths).map((path) => path.nextHop))].sort(compareIp);
    routes.set(prefix, { nextHops: nextHops.slice(0, MAX_NEXT_HOPS) });
  }
  return { routes, rejected: rejected.sort(byPrefixAndNeighbour) };
}

/** Why a prefix is refused; `undefined` when it is not. */
function createFilter({ pools, ownBlocks, nodeAddresses, connected = [] }: LearnedInput) {
  const own = ownBlocks.map(named);
  const subnets = connected.map(named);
  const allowed = pools.map(named);
  // Many nodes and many routes: a sorted list, and a search by halves.
  const nodes = {
    4: nodeAddresses.filter((ip) => ipFamily(ip) === 4).map(ipToBigInt),
    6: nodeAddresses.filter((ip) => ipFamily(ip) === 6).map(ipToBigInt),
  };
  for (const list of Object.values(nodes)) list.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));

  return (prefix: Cidr): string | undefined => {
    if (cidrLength(prefix) === 0) return 'it is a default route';
    const route = named(prefix);
    const block = own.find((of) => isInside(of, route));
    if (block !== undefined) return `it is inside this node's block "${block.cidr}"`;
    if (holdsAny(nodes[cidrFamily(prefix)], route)) return 'it covers the address of a node';
    const subnet = subnets.find((of) => isInside(of, route) || isInside(route, of));
    if (subnet !== undefined) return `it overlaps the connected subnet "${subnet.cidr}"`;
    if (!allowed.some((pool) => isInside(pool, route))) return 'it is outside every IP pool';
    return undefined;
  };
}

function nextHopRefusal({ prefix, nextHop }: RibPath): string | undefined {
  if (ipFamily(nextHop) !== cidrFamily(prefix)) return `its next hop "${nextHop}" is of the other address family`;
  if (nextHop === '0.0.0.0' || nextHop === '::') return 'it has no next hop';
  if (cidrContains(prefix, nextHop)) return `its next hop "${nextHop}" is inside itself`;
  return undefined;
}

type NamedRange = ReturnType<typeof named>;
const named = (cidr: Cidr) => ({ cidr, ...cidrRange(cidr) });

const isInside = (outer: NamedRange, inner: NamedRange): boolean =>
  outer.family === inner.family && outer.first <= inner.first && inner.last <= outer.last;

function holdsAny(sorted: readonly bigint[], { first, last }: NamedRange): boolean {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0n) < first) low = middle + 1;
    else high = middle;
  }
  const next = sorted[low];
  return next !== undefined && next <= last;
}

function byPrefixAndNeighbour(a: RejectedRoute, b: RejectedRoute): number {
  if (a.prefix !== b.prefix) return a.prefix < b.prefix ? -1 : 1;
  return compareIp(a.from, b.from);
}
