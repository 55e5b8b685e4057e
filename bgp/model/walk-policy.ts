// What a speaker does with a path by a route policy, step by step: for explaining, for deciding what an import rule has
// accepted, and for tests.
import { cidrContains, cidrContainsCidr, cidrLength } from '../../lib/cidr.ts';
import type { Ip } from '../../lib/ip.ts';
import type { Community, RouteChange, RouteMatch, RoutePolicy } from './route-policy.ts';
import type { RibPath, RouteAction } from './types.ts';

export type PolicyPath = Pick<
  RibPath,
  'prefix' | 'nextHop' | 'local' | 'ebgp' | 'communities' | 'largeCommunities' | 'asPath' | 'localPref' | 'med'
>;

export type PolicyVerdict<P> = {
  readonly action: RouteAction;
  /** The path as the policy has left it; next hops stay. */
  readonly path: P;
  /** Name of the statement that decided. Absent: none did. */
  readonly by?: string;
};

/** `peer`: whom the path comes from (import) or goes to (export). */
export function walkPolicy<P extends PolicyPath>(policy: RoutePolicy, path: P, peer: Ip | undefined): PolicyVerdict<P> {
  let current = path;
  for (const { name, match, set, action } of policy.statements) {
    if (!matchesPath(match, current, peer)) continue;
    if (set !== undefined) current = changed(current, set);
    if (action !== 'continue') return { action, path: current, by: name };
  }
  return { action: policy.otherwise, path: current };
}

export function matchesPath(match: RouteMatch, path: PolicyPath, peer: Ip | undefined): boolean {
  const { peers, source, prefixes, communities, asPathPrefix, nextHops } = match;
  const length = cidrLength(path.prefix);
  return (
    (peers === undefined || (peer !== undefined && peers.includes(peer))) &&
    (source === undefined || source === (path.local ? 'local' : path.ebgp ? 'external' : 'internal')) &&
    (prefixes === undefined ||
      prefixes.some(({ cidr, min, max }) => min <= length && length <= max && cidrContainsCidr(cidr, path.prefix))) &&
    (communities === undefined || communities.some((community) => carries(path, community))) &&
    (asPathPrefix === undefined || asPathPrefix.every((asn, index) => path.asPath[index] === asn)) &&
    (nextHops === undefined || nextHops.some((cidr) => cidrContains(cidr, path.nextHop)))
  );
}

export function carries({ communities, largeCommunities = [] }: PolicyPath, community: Community): boolean {
  if (community.kind === 'standard') return communities.includes(community.value);
  const { global, local1, local2 } = community;
  return largeCommunities.some(([a, b, c]) => a === global && b === local1 && c === local2);
}

function changed<P extends PolicyPath>(path: P, set: RouteChange): P {
  const added = (set.addCommunities ?? []).filter((community) => !carries(path, community));
  const standard = added.flatMap((each) => (each.kind === 'standard' ? [each.value] : []));
  const large = added.flatMap((each) =>
    each.kind === 'large' ? [[each.global, each.local1, each.local2] as const] : [],
  );
  return {
    ...path,
    communities: [...new Set([...path.communities, ...standard])],
    largeCommunities: [...(path.largeCommunities ?? []), ...large],
    asPath: [...(set.prependAsPath ?? []), ...path.asPath],
    localPref: set.localPref ?? path.localPref,
    med: set.med ?? path.med,
  };
}
