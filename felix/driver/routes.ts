// Drives our routes in table main. What is ours is known by protocol 177 and metric 1060; nothing else is written. One
// failing route hides no other: each gets its own outcome.
import type { Cidr } from '../../lib/cidr.ts';
import type { IfName } from '../../lib/linux/if-name.ts';
import { listLinks } from '../../lib/linux/links.ts';
import { applyRoutes, dumpRoutes, type Route, type RouteOp, sameRoute } from '../../lib/linux/routes.ts';
import type { Rtnl } from '../../lib/linux/rtnl.ts';
import { type DesiredRoute, ROUTE_METRIC, ROUTE_PROTOCOL } from '../model/route.ts';
import { createNextHopObjects, type NextHopObjects } from './next-hop-objects.ts';

/** Reason per destination that could not be brought about; an absent key succeeded. */
export type RouteFailures = ReadonlyMap<Cidr, string>;

export type RouteDriver = {
  /** Dumps our routes; what the driver believed before is forgotten. @throws KernelError */
  readonly read: () => ReadonlyMap<Cidr, Route>;
  /** Destinations whose route in the kernel is not the desired one, by a new dump. @throws KernelError */
  readonly differing: (desired: ReadonlyMap<Cidr, DesiredRoute>) => readonly Cidr[];
  /** Makes these destinations agree: adds and replaces first, then deletes. */
  readonly write: (dirty: Iterable<Cidr>, desired: ReadonlyMap<Cidr, DesiredRoute>) => RouteFailures;
};

const ESRCH = 3;
const EEXIST = 17;
/** Of so many different gateways on, routes name next hop objects: their cost does not grow with the gateways. */
const MANY_GATEWAYS = 2000;

/** `onForeign` hears of the routes that are not ours, at every reading that finds others than the one before. */
export function createRouteDriver(
  rtnl: Rtnl,
  onForeign: (routes: readonly Route[]) => void = () => undefined,
): RouteDriver {
  const objects = createNextHopObjects(rtnl);
  let actual = new Map<Cidr, Route>();
  // Where a foreign route stands in the place of one of ours: the kernel would let us overwrite it.
  let taken = new Map<Cidr, Route>();
  let foreignText = '';
  // Those of an earlier life are pruned with the first writing.
  let usedObjects = true;

  const read = (): ReadonlyMap<Cidr, Route> => {
    const ours = new Map<Cidr, Route>();
    const foreign: Route[] = [];
    for (const route of dumpRoutes(rtnl)) {
      if (route.protocol !== ROUTE_PROTOCOL) foreign.push(route);
      else if (route.metric === ROUTE_METRIC) ours.set(route.dst, route);
    }
    actual = ours;
    objects.read();
    taken = new Map(foreign.filter(({ metric }) => metric === ROUTE_METRIC).map((route) => [route.dst, route]));
    const text = JSON.stringify(foreign);
    if (text !== foreignText) {
      foreignText = text;
      onForeign(foreign);
    }
    return actual;
  };

  // Routes that came since the last reading. One of ours, of a hand that is not, is taken over when it is tried again.
  const whatIsThere = (refused: readonly Route[]): RouteFailures => {
    if (refused.length > 0) read();
    return new Map(
      refused.map(({ dst }) => {
        const other = taken.get(dst);
        const why = other === undefined ? `Cannot write route "${dst}": another came in its place` : conflict(other);
        return [dst, why];
      }),
    );
  };

  return {
    read,
    differing: (desired) => {
      read();
      const ifindexes = new Map(listLinks(rtnl).map((link) => [link.name, link.index]));
      const differing = [...actual.keys()].filter((dst) => !desired.has(dst));
      for (const [dst, route] of desired) {
        const have = actual.get(dst);
        const want = kernelRoute(route, (name) => ifindexes.get(name));
        if (have === undefined || want === undefined || !sameRoute(want, have)) differing.push(dst);
      }
      return differing;
    },
    write: (dirty, desired) => {
      const failures = new Map<Cidr, string>();
      const writes: Write[] = [];
      const deletes: Extract<RouteOp, { kind: 'delete' }>[] = [];
      for (const dst of dirty) {
        const have = actual.get(dst);
        const want = desired.get(dst);
        if (want === undefined) {
          if (have !== undefined) deletes.push({ kind: 'delete', key: have });
          continue;
        }
        const other = taken.get(dst);
        if (other !== undefined) {
          failures.set(dst, conflict(other));
          continue;
        }
        const route = kernelRoute(want, rtnl.linkIndex);
        if (route === undefined) failures.set(dst, `Cannot write route "${dst}": its interface is not there`);
        else if (have === undefined) writes.push({ kind: 'add', route });
        else if (!sameRoute(route, have)) writes.push({ kind: 'replace', route });
      }
      const manyGateways = desired.size > MANY_GATEWAYS && countGateways(desired) > MANY_GATEWAYS;
      const ops = [...(manyGateways ? withObjects(writes, objects) : writes), ...deletes];
      const refused: Route[] = [];
      for (const [index, error] of applyRoutes(rtnl, ops).entries()) {
        const op = ops[index];
        if (op?.kind === 'add' || op?.kind === 'replace') {
          if (error === undefined) actual.set(op.route.dst, op.route);
          else if (error.errno === EEXIST) refused.push(op.route);
          else failures.set(op.route.dst, error.message);
        } else if (op?.kind === 'delete') {
          // The kernel removes a route with its link; then there is nothing left to delete.
          if (error === undefined || error.errno === ESRCH) actual.delete(op.key.dst);
          else failures.set(op.key.dst, error.message);
        }
      }
      for (const [dst, why] of whatIsThere(refused)) failures.set(dst, why);
      if (manyGateways || usedObjects) {
        const named = new Set([...actual.values()].flatMap(({ nextHopId }) => nextHopId ?? []));
        objects.prune(named);
        usedObjects = named.size > 0;
      }
      return failures;
    },
  };
}

type Write = Extract<RouteOp, { kind: 'add' | 'replace' }>;

function withObjects(writes: readonly Write[], objects: NextHopObjects): readonly Write[] {
  const ids = objects.ensure(writes.map(({ route }) => route.nextHops));
  return writes.map((op, index) => {
    const nextHopId = ids[index];
    return nextHopId === undefined ? op : { ...op, route: { ...op.route, nextHopId } };
  });
}

function countGateways(desired: ReadonlyMap<Cidr, DesiredRoute>): number {
  const gateways = new Set<string>();
  for (const route of desired.values()) {
    if (route.kind === 'learned') for (const { gateway } of route.nextHops) gateways.add(gateway);
  }
  return gateways.size;
}

const conflict = ({ dst, metric, protocol }: Route): string =>
  `Cannot write route "${dst}": one of protocol ${protocol} has metric ${metric} already, which is kept for Margay; delete it or give it another metric`;

/** `undefined`: the interface is not there. */
function kernelRoute(route: DesiredRoute, ifindexOf: (name: IfName) => number | undefined): Route | undefined {
  const base = { dst: route.dst, protocol: ROUTE_PROTOCOL, metric: ROUTE_METRIC } as const;
  switch (route.kind) {
    case 'endpoint': {
      const oif = ifindexOf(route.ifName);
      return oif === undefined ? undefined : { ...base, type: 'unicast', oif, nextHops: [] };
    }
    case 'blackhole':
      return { ...base, type: 'blackhole', nextHops: [] };
    case 'static':
      return { ...base, type: 'unicast', nextHops: [{ gateway: route.gateway }] };
    case 'learned':
      return { ...base, type: 'unicast', nextHops: route.nextHops };
    default:
      return route satisfies never;
  }
}
