// What the speaker lets in and out: two global policies (gobgpd ignores those of single peers), each an ordered list of
// statements. The first statement that fits and decides ends the walk; one that continues only changes the path.
import type { Cidr } from '../../lib/cidr.ts';
import type { Ip } from '../../lib/ip.ts';
import type { PathSource, RouteAction } from './types.ts';

export type DesiredPolicies = {
  /** What of a peer's paths enters the table. */
  readonly import: RoutePolicy;
  /** What of the table a peer is told. */
  readonly export: RoutePolicy;
};

export type RoutePolicy = {
  readonly statements: readonly RouteStatement[];
  /** For what no statement decides. */
  readonly otherwise: RouteAction;
};

export type RouteStatement = {
  /** For people: `BGPFilter no-default importV4[0]`. Need not be unique. */
  readonly name: string;
  readonly match: RouteMatch;
  /** Changes of the path, also when the walk goes on. Absent: none. */
  readonly set?: RouteChange;
  readonly action: RouteAction | 'continue';
};

/** All that is given must hold; an empty match fits every path. */
export type RouteMatch = {
  /** Whom it comes from (import) or goes to (export). Absent: everybody; empty: nobody. */
  readonly peers?: readonly Ip[];
  /** How it came into the table. */
  readonly source?: PathSource;
  /** Prefixes of one family, of which one must hold the path's, with a length from `min` to `max`. Empty: none does. */
  readonly prefixes?: readonly PrefixRange[];
  /** One of these must be among the path's. */
  readonly communities?: readonly Community[];
  /** The AS path must begin with these, nearest AS first. */
  readonly asPathPrefix?: readonly number[];
  /** One of these must be the next hop. */
  readonly nextHops?: readonly Cidr[];
};

export type PrefixRange = { readonly cidr: Cidr; readonly min: number; readonly max: number };

/** RFC 1997 as `high * 65536 + low`, or RFC 8092. */
export type Community =
  | { readonly kind: 'standard'; readonly value: number }
  | { readonly kind: 'large'; readonly global: number; readonly local1: number; readonly local2: number };

export type RouteChange = {
  readonly addCommunities?: readonly Community[];
  /** AS numbers put before the path, the first of them outermost. */
  readonly prependAsPath?: readonly number[];
  readonly localPref?: number;
  readonly med?: number;
  /** `self`: the session's local address; `unchanged`: as it was learned. */
  readonly nextHop?: 'self' | 'unchanged';
};
