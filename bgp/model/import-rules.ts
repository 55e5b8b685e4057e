// Why a path may not become a route of the kernel. A peer can send anything: what it says about our own addresses, or about
// the world outside the pools, is only believed where a BGPPeer or BGPFilter says that it is.
import {
  type Cidr,
  cidrContains,
  cidrContainsCidr,
  cidrFamily,
  cidrLength,
  cidrRange,
  type IpRange,
} from '../../lib/cidr.ts';
import { type Ip, ipFamily, ipToBigInt } from '../../lib/ip.ts';
import type { PeerImports } from './route-policies.ts';
import type { RouteStatement } from './route-policy.ts';
import type { RibPath } from './types.ts';
import { carries, matchesPath, walkPolicy } from './walk-policy.ts';

/** What decides besides the paths themselves. */
export type ImportRulesContext = {
  readonly pools: readonly Cidr[];
  readonly ownBlocks: readonly Cidr[];
  /** Addresses of all nodes: how we reach a node is never up to BGP. */
  readonly nodeAddresses: readonly Ip[];
  /** Subnets of this node's own interfaces. Absent: none. */
  readonly connected?: readonly Cidr[] | undefined;
  /** Service addresses, which every node serves itself. Absent: none. */
  readonly serviceRanges?: readonly Cidr[] | undefined;
  /** What is believed of each peer beyond the pools. Absent, or a peer that is not in it: nothing. */
  readonly imports?: ReadonlyMap<Ip, PeerImports> | undefined;
};

/** `hint`: what would let the path in. Absent: nothing does. */
export type Refusal = { readonly why: string; readonly hint?: string };

/** What is looked at once for a prefix, and then for each of its paths. `undefined`: the path may be used. */
export type ImportRules = (prefix: Cidr) => (path: RibPath) => Refusal | undefined;

export function createImportRules(context: ImportRulesContext): ImportRules {
  const { imports } = context;
  const dangerOf = createDangers(context);
  const pools = context.pools.map(named);
  return (prefix) => {
    const route = named(prefix);
    const danger = dangerOf(route);
    const foreign = !pools.some((pool) => isInside(pool, route));
    return (path) => {
      const peer = path.from === undefined ? undefined : imports?.get(path.from);
      const asked = askedFor(path, peer);
      if (asked.kind === 'rejected') return { why: `${asked.by} rejects it` };
      if (danger !== undefined && asked.kind !== 'named') return refusal(danger, prefix, peer);
      if (foreign && asked.kind === 'nothing') return refusal('it is outside every IP pool', prefix, peer);
      const nextHop = nextHopRefusal(path);
      return nextHop === undefined ? undefined : { why: nextHop };
    };
  };
}

function refusal(why: string, prefix: Cidr, peer: PeerImports | undefined): Refusal {
  if (peer?.description.startsWith('BGPPeer ') !== true) return { why };
  const hint = `to take it, name "${prefix}" in importCIDRs of ${peer.description} or in an Accept rule of a BGPFilter of it`;
  return { why, hint };
}

type Asked =
  | { readonly kind: 'rejected'; readonly by: string }
  /** By a rule or range that speaks of this part of the address space, and not of all of it. */
  | { readonly kind: 'named' | 'general' | 'nothing' };

function askedFor(path: RibPath, peer: PeerImports | undefined): Asked {
  if (peer === undefined) return { kind: 'nothing' };
  const { prefix } = path;
  const ranges = peer.ranges.filter((range) => cidrContainsCidr(range, prefix));
  const verdict = filterVerdict(path, peer.statements);
  if (verdict?.action === 'reject') return { kind: 'rejected', by: verdict.name };
  const isDefault = cidrLength(prefix) === 0;
  if (ranges.some((range) => isDefault || cidrLength(range) > 0)) return { kind: 'named' };
  if (verdict !== undefined) {
    const [only, ...others] = verdict.match.prefixes ?? [];
    const isOne = only !== undefined && others.length === 0;
    // The default route is named by `Equal 0.0.0.0/0` alone: "In 0.0.0.0/0" is how people write "anything".
    return { kind: isOne && (isDefault ? only.max === 0 : cidrLength(only.cidr) > 0) ? 'named' : 'general' };
  }
  return { kind: ranges.length > 0 ? 'general' : 'nothing' };
}

/**
 * The rule that decided about a path, which we see as the speaker's policy has left it: a rule that accepts and changes is
 * recognised by what it has changed. `undefined`: none decided.
 */
function filterVerdict(path: RibPath, statements: readonly RouteStatement[]): RouteStatement | undefined {
  const changing = statements.find((statement) => {
    const before = statement.action === 'accept' ? undone(path, statement) : undefined;
    return before !== undefined && matchesPath(statement.match, before, path.from);
  });
  if (changing !== undefined) return changing;
  const decisive = statements.filter(({ action }) => action !== 'continue');
  const { by } = walkPolicy({ statements: decisive, otherwise: 'accept' }, path, path.from);
  return decisive.find(({ name }) => name === by);
}

/** The path before a statement changed it; `undefined` when it has not, or changes nothing that can be seen. */
function undone(path: RibPath, { set }: RouteStatement): RibPath | undefined {
  const { addCommunities = [], prependAsPath = [] } = set ?? {};
  if (addCommunities.length + prependAsPath.length === 0) return undefined;
  if (!addCommunities.every((community) => carries(path, community))) return undefined;
  if (!prependAsPath.every((asn, index) => path.asPath[index] === asn)) return undefined;
  const standard = new Set(addCommunities.flatMap((each) => (each.kind === 'standard' ? [each.value] : [])));
  const large = new Set(
    addCommunities.flatMap((each) => (each.kind === 'large' ? [`${each.global}:${each.local1}:${each.local2}`] : [])),
  );
  return {
    ...path,
    communities: path.communities.filter((value) => !standard.has(value)),
    largeCommunities: path.largeCommunities?.filter((value) => !large.has(value.join(':'))) ?? [],
    asPath: path.asPath.slice(prependAsPath.length),
  };
}

/** Why a prefix is only believed when it is named. */
function createDangers({ ownBlocks, nodeAddresses, connected = [], serviceRanges = [] }: ImportRulesContext) {
  const own = ownBlocks.map(named);
  const subnets = connected.map(named);
  const services = serviceRanges.map(named);
  // Many nodes and many routes: a sorted list, and a search by halves.
  const nodes = {
    4: nodeAddresses.filter((ip) => ipFamily(ip) === 4).map(ipToBigInt),
    6: nodeAddresses.filter((ip) => ipFamily(ip) === 6).map(ipToBigInt),
  };
  for (const list of Object.values(nodes)) list.sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));

  return (route: NamedRange): string | undefined => {
    if (cidrLength(route.cidr) === 0) return 'it is a default route';
    const block = own.find((of) => isInside(of, route));
    if (block !== undefined) return `it is inside this node's block "${block.cidr}"`;
    if (holdsAny(nodes[cidrFamily(route.cidr)], route)) return 'it covers the address of a node';
    const subnet = subnets.find((of) => isInside(of, route) || isInside(route, of));
    if (subnet !== undefined) return `it overlaps the connected subnet "${subnet.cidr}"`;
    const range = services.find((of) => isInside(of, route) || isInside(route, of));
    return range === undefined ? undefined : `it overlaps the service range "${range.cidr}", which every node serves`;
  };
}

function nextHopRefusal({ prefix, nextHop }: RibPath): string | undefined {
  if (ipFamily(nextHop) !== cidrFamily(prefix)) return `its next hop "${nextHop}" is of the other address family`;
  if (nextHop === '0.0.0.0' || nextHop === '::') return 'it has no next hop';
  // Everything is inside a default route; its next hop is on a connected subnet, which is more specific.
  if (cidrLength(prefix) > 0 && cidrContains(prefix, nextHop)) return `its next hop "${nextHop}" is inside itself`;
  return undefined;
}

type NamedRange = IpRange & { readonly cidr: Cidr };
const named = (cidr: Cidr): NamedRange => ({ cidr, ...cidrRange(cidr) });

const isInside = (outer: IpRange, inner: IpRange): boolean =>
  outer.family === inner.family && outer.first <= inner.first && inner.last <= outer.last;

function holdsAny(sorted: readonly bigint[], { first, last }: IpRange): boolean {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0n) < first) low = middle + 1;
    else high = middle;
  }
  const next = sorted[low];
  return next !== undefined && next <= last;
}
