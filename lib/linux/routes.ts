// Routes of the main table by rtnetlink: dump, replace, delete. The wire form is in route-codec.ts.
import type { Cidr } from '../cidr.ts';
import type { Family, Ip } from '../ip.ts';
import { AF } from './addresses.ts';
import { KernelError } from './kernel-error.ts';
import { NLM_F } from './netlink-message.ts';
import {
  decodeRoute,
  encodeLookup,
  encodeRoute,
  RTM_DELROUTE,
  RTM_GETROUTE,
  RTM_NEWROUTE,
  rtmsg,
} from './route-codec.ts';
import type { Rtnl, RtnlRequest } from './rtnl.ts';

/**
 * A route of the main table. On-link when `oif` is given without next hops. `scope` is only given where it is not the
 * usual one: link (253) for an on-link IPv4 unicast route, universe (0) for all others.
 */
export type Route = {
  readonly dst: Cidr;
  readonly type: 'unicast' | 'blackhole' | 'unreachable' | 'prohibit';
  /** Who wrote it (RTPROT_*). */
  readonly protocol: number;
  /** Lower wins. The kernel makes 1024 of an IPv6 route's 0. */
  readonly metric: number;
  readonly scope?: number;
  readonly oif?: number;
  readonly nextHops: readonly NextHop[];
  /** The next hop object that says where it leads; written instead of `nextHops`, read besides them. */
  readonly nextHopId?: number;
};

/** A way to the destination. Without `oif` the kernel finds the link; `onlink`: the gateway need not be in a subnet. */
export type NextHop = { readonly gateway: Ip; readonly oif?: number; readonly onlink?: boolean };

/** Which of the routes with a destination: the kernel holds one per destination and metric (IPv6: per next hop too). */
export type RouteKey = Pick<Route, 'dst' | 'protocol' | 'metric'>;

export type RouteOp =
  /** Refused with EEXIST where there is a route with this destination and metric. */
  | { readonly kind: 'add'; readonly route: Route }
  | { readonly kind: 'replace'; readonly route: Route }
  | { readonly kind: 'delete'; readonly key: RouteKey };

const ESRCH = 3;

/** Nothing leads there, or on purpose not: EACCES, EINVAL, ENETUNREACH, EHOSTUNREACH (fib_props in fib_semantics.c). */
const LEADS_NOWHERE = new Set([13, 22, 101, 113]);

/** Routes of the main table, of both families and all protocols unless said. @throws KernelError */
export function dumpRoutes(
  rtnl: Rtnl,
  {
    family,
    protocol,
    tables,
  }: { readonly family?: Family; readonly protocol?: number; readonly tables?: 'main' | 'all' } = {},
): readonly Route[] {
  const families: readonly Family[] = family === undefined ? [4, 6] : [family];
  return families.flatMap((each) =>
    rtnl.dump({ op: `list IPv${each} routes`, type: RTM_GETROUTE, payload: rtmsg({ family: AF[each] }) }, (message) => {
      const route = decodeRoute(message, tables);
      return protocol === undefined || route?.protocol === protocol ? route : undefined;
    }),
  );
}

/**
 * The route by which the node's packets go to an address, of any table that its rules lead to; one question, however many
 * routes there are. `undefined`: they go nowhere, or the address is the node's own.
 * @throws KernelError
 */
export function lookUpRoute(rtnl: Rtnl, ip: Ip): Route | undefined {
  try {
    const request = { op: `look up the route to ${ip}`, type: RTM_GETROUTE, payload: encodeLookup(ip) };
    return rtnl.request(request).flatMap((message) => decodeRoute(message, 'all') ?? [])[0];
  } catch (error) {
    if (error instanceof KernelError && LEADS_NOWHERE.has(error.errno)) return undefined;
    throw error;
  }
}

/**
 * Adds a route, or puts it in the place of the one with the same destination and metric, whoever wrote that: packets
 * see the one or the other, never none.
 * @throws KernelError
 */
export function replaceRoute(rtnl: Rtnl, route: Route): void {
  rtnl.request(replaceRouteRequest(route));
}

/**
 * Deletes the route with this destination, metric and protocol.
 * @returns false when there was none
 * @throws KernelError
 */
export function deleteRoute(rtnl: Rtnl, key: RouteKey): boolean {
  const [error] = applyRoutes(rtnl, [{ kind: 'delete', key }]);
  if (error === undefined) return true;
  if (error.errno === ESRCH) return false;
  throw error;
}

/**
 * Many changes, batched; one failure hides no other. The answers are in the order of `ops`, `undefined` meaning done;
 * deleting what is not there is ESRCH.
 */
export function applyRoutes(rtnl: Rtnl, ops: readonly RouteOp[]): readonly (KernelError | undefined)[] {
  // To the kernel, metric 0 in an IPv4 deletion means any metric, so it is asked what there is.
  const any = ops.some((op) => op.kind === 'delete' && op.key.metric === 0);
  const present = any ? new Set(dumpRoutes(rtnl).map(keyText)) : undefined;
  const absent = (op: RouteOp): boolean =>
    op.kind === 'delete' && op.key.metric === 0 && present?.has(keyText(op.key)) === false;
  const done = rtnl.requestAll(ops.filter((op) => !absent(op)).map(requestOf)).values();
  return ops.map((op) => (absent(op) ? new KernelError(requestOf(op).op, ESRCH) : done.next().value));
}

/**
 * Whether the kernel's route is the wanted one. The kernel tells the link of every next hop; a wanted one without
 * `oif` leaves it open. The order of next hops says nothing.
 */
export function sameRoute(wanted: Route, actual: Route): boolean {
  return (
    keyText(wanted) === keyText(actual) &&
    wanted.type === actual.type &&
    wanted.scope === actual.scope &&
    wanted.oif === actual.oif &&
    wanted.nextHops.length === actual.nextHops.length &&
    wanted.nextHops.every(({ gateway, oif }) =>
      actual.nextHops.some((hop) => hop.gateway === gateway && (oif === undefined || hop.oif === oif)),
    )
  );
}

const keyText = ({ dst, protocol, metric }: RouteKey): string => `${dst} ${protocol} ${metric}`;

function requestOf(op: RouteOp): RtnlRequest {
  if (op.kind === 'replace') return replaceRouteRequest(op.route);
  if (op.kind === 'add') return { ...replaceRouteRequest(op.route), flags: NLM_F.CREATE | NLM_F.EXCL };
  const { dst, protocol, metric } = op.key;
  const payload = encodeRoute({ dst, protocol, metric, nextHops: [] }, 'delete');
  return { op: `delete route ${dst} with metric ${metric}`, type: RTM_DELROUTE, payload };
}

export const replaceRouteRequest = (route: Route): RtnlRequest => ({
  op: `write route ${route.dst} with metric ${route.metric}`,
  type: RTM_NEWROUTE,
  flags: NLM_F.CREATE | NLM_F.REPLACE,
  payload: encodeRoute(route, 'write'),
});
