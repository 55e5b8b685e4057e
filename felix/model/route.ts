// The routes that this agent owns, as the model wants them: by name and address, before a driver knows any ifindex.
import { type Cidr, cidrOf } from '../../lib/cidr.ts';
import { familyBits, type Ip, ipFamily } from '../../lib/ip.ts';
import type { IfName } from '../../lib/linux/if-name.ts';
import type { NextHop } from '../../lib/linux/routes.ts';

/** Our protocol number (`rtm_protocol`), and so the mark by which our routes are known again. */
export const ROUTE_PROTOCOL = 177;

/** Our metric: IPv4 `replace` keys on prefix and metric, so a metric of our own never hits a foreign route. */
export const ROUTE_METRIC = 1060;

export type DesiredRoute =
  /** One pod address, on-link behind its host end. */
  | { readonly kind: 'endpoint'; readonly dst: Cidr; readonly ifName: IfName }
  /** A block of this node: what is not assigned goes nowhere, instead of round to the ToR. */
  | { readonly kind: 'blackhole'; readonly dst: Cidr }
  /** To a BGP peer that is reached through a gateway (`reachableBy`). */
  | { readonly kind: 'static'; readonly dst: Cidr; readonly gateway: Ip }
  /** Learned over BGP; sorted next hops, several are equal paths. */
  | { readonly kind: 'learned'; readonly dst: Cidr; readonly nextHops: readonly NextHop[] };

export const sameRoute = (a: DesiredRoute, b: DesiredRoute): boolean => JSON.stringify(a) === JSON.stringify(b);

/** The destination of a route to one address: /32 or /128. */
export const hostRoute = (ip: Ip): Cidr => cidrOf(ip, familyBits(ipFamily(ip)));
