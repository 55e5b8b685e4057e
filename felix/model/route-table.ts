// The routes that the kernel should have, out of the speaker's table, the blocks and the endpoints. A path that comes or
// goes costs what it touches; a change of the rules by which paths are judged costs the whole table.

import type { StaticRoute } from '../../bgp/model/desired.ts';
import { createImporter, type LearnedRoutes as ImportedRoutes, type Importer } from '../../bgp/model/learned.ts';
import type { PeerImports } from '../../bgp/model/route-policies.ts';
import type { RibPath } from '../../bgp/model/types.ts';
import type { Cidr } from '../../lib/cidr.ts';
import type { Ip } from '../../lib/ip.ts';
import { createKeyedTable, type KeyedTable } from '../../lib/keyed-table.ts';
import type { IfName } from '../../lib/linux/if-name.ts';
import type { NextHop, Route } from '../../lib/linux/routes.ts';
import { createFib, type Fib, type Resolution } from './fib.ts';
import { createLearned, type LearnedRoutes } from './learned.ts';
import { createRib } from './rib.ts';
import { type DesiredRoute, ROUTE_METRIC, ROUTE_PROTOCOL, sameRoute } from './route.ts';

export type RouteTable = {
  /** Of the main table, without ours. */
  readonly setFib: (routes: readonly Route[]) => void;
  readonly setConnected: (subnets: readonly Cidr[]) => void;
  /** Learned routes that the kernel had when the agent started. */
  readonly adopt: (routes: LearnedRoutes) => void;
  readonly setRib: (paths: readonly RibPath[]) => void;
  /** Prefixes of the RIB that were read again; one without paths is gone. */
  readonly patchRib: (prefixes: ReadonlyMap<Cidr, readonly RibPath[]>) => void;
  /** The speaker is gone: what it said stays true for now. */
  readonly ribLost: () => void;
  /** The speaker answers: what it says counts from now on. */
  readonly ribBack: () => void;
  /** BGP has settled: routes of an earlier life go. */
  readonly settle: () => void;
  readonly settled: () => boolean;
  /** Blocks, pools or nodes changed. */
  readonly contextChanged: () => void;
  readonly endpointsChanged: (changes: ReadonlyMap<Cidr, IfName | undefined>) => void;
  readonly routes: () => KeyedTable<Cidr, DesiredRoute>;
  readonly imported: () => ImportedRoutes;
  /** Paths of a prefix in the RIB. */
  readonly paths: (prefix: Cidr) => readonly RibPath[];
  /** Routes that are not written because none of their next hops can be reached, and why. */
  readonly unreachable: () => ReadonlyMap<Cidr, string>;
  /** Where packets to an address leave this node. Absent: no routes were read yet. */
  readonly wayTo: (address: Ip) => Resolution | undefined;
};

/** What the table reads besides what it is told. */
export type RouteContext = {
  readonly blocks: () => readonly Cidr[];
  readonly pools: () => readonly Cidr[];
  readonly nodeAddresses: () => readonly Ip[];
  readonly serviceRanges: () => readonly Cidr[];
  /** What is believed of each peer beyond the pools. */
  readonly imports: () => ReadonlyMap<Ip, PeerImports>;
  readonly endpoints: () => ReadonlyMap<Cidr, IfName>;
  readonly statics: () => readonly StaticRoute[];
};

export function createRouteTable(context: RouteContext): RouteTable {
  const learned = createLearned();
  const rib = createRib();
  const routes = createKeyedTable<Cidr, DesiredRoute>(sameRoute);
  const unreachable = new Map<Cidr, string>();
  let others: readonly Route[] | undefined;
  let fib: Fib | undefined;
  let connected: readonly Cidr[] = [];
  let importer: Importer | undefined;
  let speakerUp = false;
  // What of `routes` is to be made again. Work waits until somebody asks.
  let stale: 'nothing' | 'rib' | 'all' = 'all';

  const rulesChanged = (): void => {
    importer = undefined;
    stale = 'all';
  };
  const ribChanged = (): void => {
    if (stale === 'nothing') stale = 'rib';
  };

  const newImporter = (): Importer =>
    createImporter({
      pools: context.pools(),
      ownBlocks: context.blocks(),
      nodeAddresses: context.nodeAddresses(),
      serviceRanges: context.serviceRanges(),
      imports: context.imports(),
      connected,
      unreachable: (nextHop) => {
        const way = fib?.resolve(nextHop);
        return way?.kind === 'unreachable' ? way.why : undefined;
      },
    });

  const learnedRoute = (dst: Cidr): DesiredRoute | undefined => {
    const { nextHops, why } = hopsTo(learned.at(dst) ?? [], fib);
    if (why !== undefined && nextHops.length === 0) unreachable.set(dst, why);
    else unreachable.delete(dst);
    return nextHops.length === 0 ? undefined : { kind: 'learned', dst, nextHops };
  };

  /** What stands before learned routes at a destination: a block may be a single address, which pods come to and leave. */
  const ownRoute = (dst: Cidr): DesiredRoute | undefined => {
    const ifName = context.endpoints().get(dst);
    if (ifName !== undefined) return { kind: 'endpoint', dst, ifName };
    if (context.blocks().includes(dst)) return { kind: 'blackhole', dst };
    const found = context.statics().findLast((each) => each.dst === dst);
    return found && { kind: 'static', dst, gateway: found.gateway };
  };
  const renew = (dst: Cidr): void => {
    const route = learnedRoute(dst);
    routes.set(dst, ownRoute(dst) ?? route);
  };

  const refresh = (): void => {
    if (stale === 'nothing') return;
    if (importer === undefined) {
      if (others !== undefined) fib = createFib([...others, ...context.statics().map(asRoute)]);
      importer = newImporter();
    }
    const judged = rib.judge(importer);
    if (speakerUp) for (const prefix of judged) learned.fresh(prefix, rib.at(prefix)?.route?.nextHops);
    if (stale === 'all') {
      unreachable.clear();
      const all = new Map<Cidr, DesiredRoute>();
      for (const dst of learned.all().keys()) {
        const route = learnedRoute(dst);
        if (route !== undefined) all.set(dst, route);
      }
      for (const { dst, gateway } of context.statics()) all.set(dst, { kind: 'static', dst, gateway });
      for (const dst of context.blocks()) all.set(dst, { kind: 'blackhole', dst });
      for (const [dst, ifName] of context.endpoints()) all.set(dst, { kind: 'endpoint', dst, ifName });
      routes.replaceAll(all);
    } else for (const dst of judged) renew(dst);
    stale = 'nothing';
  };

  return {
    setFib: (foreign) => {
      others = foreign;
      rulesChanged();
    },
    setConnected: (subnets) => {
      connected = subnets;
      rulesChanged();
    },
    adopt: (found) => {
      learned.adopt(found);
      stale = 'all';
    },
    setRib: (paths) => {
      rib.replace(paths);
      ribChanged();
    },
    patchRib: (prefixes) => {
      rib.patch(prefixes);
      ribChanged();
    },
    ribLost: () => {
      refresh(); // What was said last counts too.
      speakerUp = false;
      rib.replace([]);
      learned.lost();
      stale = 'all';
    },
    ribBack: () => {
      speakerUp = true;
      stale = 'all';
    },
    settle: () => {
      refresh();
      learned.settle();
      stale = 'all';
    },
    settled: learned.settled,
    contextChanged: rulesChanged,
    endpointsChanged: (changes) => {
      if (stale === 'all') return; // They are read anew with the rest.
      for (const dst of changes.keys()) renew(dst);
    },
    routes: () => {
      refresh();
      return routes;
    },
    imported: () => {
      refresh();
      return rib.imported();
    },
    paths: rib.paths,
    unreachable: () => {
      refresh();
      return unreachable;
    },
    wayTo: (address) => {
      refresh();
      return fib?.resolve(address);
    },
  };
}

/** What is said of the way to a peer counts like a route of somebody else. */
const asRoute = ({ dst, gateway }: StaticRoute): Route => ({
  dst,
  type: 'unicast',
  protocol: ROUTE_PROTOCOL,
  metric: ROUTE_METRIC,
  nextHops: [{ gateway }],
});

/** The ways of all next hops that can be reached, without repeats; `why`: of the last that cannot. */
function hopsTo(
  gateways: readonly Ip[],
  fib: Fib | undefined,
): { readonly nextHops: readonly NextHop[]; readonly why?: string } {
  const found = new Map<string, NextHop>();
  let why: string | undefined;
  for (const gateway of gateways) {
    const way: Resolution = fib?.resolve(gateway) ?? { kind: 'on-link' };
    if (way.kind === 'unreachable') why = way.why;
    for (const hop of waysOf(way, gateway)) {
      found.set(`${hop.gateway} ${hop.oif ?? ''}`, hop);
    }
  }
  return { nextHops: [...found.values()], ...(why !== undefined && { why }) };
}

function waysOf(way: Resolution, gateway: Ip): readonly NextHop[] {
  switch (way.kind) {
    case 'on-link':
      return [{ gateway, ...(way.oif !== undefined && { oif: way.oif }) }];
    case 'via':
      return way.hops;
    case 'unreachable':
      return [];
    default:
      return way satisfies never;
  }
}
