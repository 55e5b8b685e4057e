// Where packets to a next hop leave this node, by the routes of the main table that are not ours: on a link, or one level
// deeper through the gateway of another route (RFC 4271 section 5.1.3). Ours are left out, so that no route of ours
// ever rests on another of ours.
import { type Cidr, cidrFamily, cidrLength, cidrOf } from '../../lib/cidr.ts';
import { type Family, type Ip, ipFamily } from '../../lib/ip.ts';
import type { NextHop, Route } from '../../lib/linux/routes.ts';

export type Resolution =
  /** A neighbour on this link; absent: the kernel finds it. */
  | { readonly kind: 'on-link'; readonly oif?: number }
  /** Through these gateways. */
  | { readonly kind: 'via'; readonly route: Cidr; readonly hops: readonly NextHop[] }
  | { readonly kind: 'unreachable'; readonly why: string };

export type Fib = {
  readonly resolve: (nextHop: Ip) => Resolution;
};

/** `routes`: of the main table, without ours. */
export function createFib(routes: readonly Route[]): Fib {
  const best = new Map<Cidr, Route>();
  const lengths: Record<Family, Set<number>> = { 4: new Set(), 6: new Set() };
  for (const route of routes) {
    const other = best.get(route.dst);
    if (other !== undefined && other.metric <= route.metric) continue;
    best.set(route.dst, route);
    lengths[cidrFamily(route.dst)].add(cidrLength(route.dst));
  }
  const longestFirst = {
    4: [...lengths[4]].sort((a, b) => b - a),
    6: [...lengths[6]].sort((a, b) => b - a),
  };
  const known = new Map<Ip, Resolution>();
  const find = (ip: Ip): Resolution => {
    for (const length of longestFirst[ipFamily(ip)]) {
      const route = best.get(cidrOf(ip, length));
      if (route !== undefined) return through(route, ip);
    }
    return { kind: 'unreachable', why: `no route leads to its next hop "${ip}"` };
  };
  return {
    resolve: (nextHop) => {
      const before = known.get(nextHop);
      if (before !== undefined) return before;
      const found = find(nextHop);
      known.set(nextHop, found);
      return found;
    },
  };
}

function through(route: Route, ip: Ip): Resolution {
  if (route.type !== 'unicast') {
    return { kind: 'unreachable', why: `its next hop "${ip}" falls under the ${route.type} route "${route.dst}"` };
  }
  if (route.nextHops.length === 0) return { kind: 'on-link', ...(route.oif !== undefined && { oif: route.oif }) };
  return { kind: 'via', route: route.dst, hops: route.nextHops };
}
