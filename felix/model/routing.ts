// The routed half of the model: which blocks are announced, to whom, and which routes the kernel should have.
//
//   nodes, BGP objects, pools, blocks ──► desired BGP
//   RIB, pools, subnets ──► import rules ──► learned ─┐
//   blocks ──────────────────────────────► blackholes ├─► routes (keyed, dirty)
//   endpoints ───────────────────────────► /32 routes ┘
import { desiredBgp } from '../../bgp/model/desired.ts';
import { type LearnedRoutes as ImportedRoutes, learnedRoutes } from '../../bgp/model/learned.ts';
import { nodeAddress } from '../../bgp/model/node-addresses.ts';
import { serviceRanges } from '../../bgp/model/service-ranges.ts';
import { type AdvertisedService, createServiceAdvertiser } from '../../bgp/model/services.ts';
import type { DesiredBgp, PeerState, RibPath } from '../../bgp/model/types.ts';
import type { EndpointSlice } from '../../datastore/resources/endpoint-slice.ts';
import type { Node } from '../../datastore/resources/node.ts';
import type { Service } from '../../datastore/resources/service.ts';
import type { Cidr } from '../../lib/cidr.ts';
import type { Ip } from '../../lib/ip.ts';
import { createKeyedTable, type KeyedTable } from '../../lib/keyed-table.ts';
import type { IfName } from '../../lib/linux/if-name.ts';
import type { NextHop } from '../../lib/linux/routes.ts';
import type { RoutingEvent } from './events.ts';
import { createFib, type Fib } from './fib.ts';
import { createLearned } from './learned.ts';
import type { Resources } from './resources.ts';
import { type DesiredRoute, sameRoute } from './route.ts';

export type BgpView = {
  readonly connected: boolean;
  /** Why gobgpd is not there. */
  readonly why?: string;
  readonly desired: DesiredBgp | undefined;
  readonly peers: readonly PeerState[];
  /** Every peer is established and has told all it knows, or the stale timer ran out. */
  readonly settled: boolean;
};

export type Routing = {
  readonly accept: (event: RoutingEvent) => void;
  /** The objects it reads have changed. */
  readonly resourcesChanged: () => void;
  /** A Service or EndpointSlice, by `namespace/name`; `undefined`: it is gone. */
  readonly serviceChanged: (
    kind: 'Service' | 'EndpointSlice',
    name: string,
    object: Service | EndpointSlice | undefined,
  ) => void;
  /** Host routes of endpoints that came (`IfName`) or went. */
  readonly endpointRoutesChanged: (changes: ReadonlyMap<Cidr, IfName | undefined>) => void;
  readonly routes: KeyedTable<Cidr, DesiredRoute>;
  /** What gobgpd should have, once after each change; absent: nothing new, or nothing can be said. */
  readonly takeBgp: () => DesiredBgp | undefined;
  readonly bgp: () => BgpView;
  readonly blocks: () => readonly Cidr[];
  /** Service addresses that are advertised from here, and for whom. */
  readonly services: () => ReadonlyMap<Cidr, AdvertisedService>;
  readonly learned: () => ImportedRoutes;
  /** Routes of an earlier life that are not written because none of their next hops can be reached, and why. */
  readonly unreachable: () => ReadonlyMap<Cidr, string>;
  readonly problems: () => readonly string[];
};

/** `endpointRoutes`: the host routes of all present endpoints. */
export function createRouting(
  node: string,
  resources: Resources,
  endpointRoutes: () => ReadonlyMap<Cidr, IfName>,
): Routing {
  const learned = createLearned();
  const routes = createKeyedTable<Cidr, DesiredRoute>(sameRoute);
  const services = createServiceAdvertiser(node);
  // Work waits until somebody asks: a snapshot of thousands of nodes is looked at once, not once for each of them.
  const stale = { bgp: false, routes: false };
  let fib: Fib | undefined;
  let unreachable: ReadonlyMap<Cidr, string> = new Map();
  let blocks: readonly Cidr[] = [];
  let connected: readonly Cidr[] = [];
  let rib: readonly RibPath[] = [];
  let peers: readonly PeerState[] = [];
  let speaker: { readonly up: boolean; readonly why?: string } = { up: false, why: 'not answered yet' };
  let desired: DesiredBgp | undefined;
  let desiredIsNews = false;
  let problems: readonly string[] = [];
  let imported: ImportedRoutes = { routes: new Map(), rejected: [] };

  const refreshBgp = (): void => {
    if (!stale.bgp) return;
    stale.bgp = false;
    const own = resources.nodes().find(({ metadata }) => metadata.name === node);
    services.configure(serviceRanges(resources.bgpConfiguration(), own));
    services.takeChanged(); // It is all said anew.
    const result = desiredBgp({
      node,
      nodes: resources.nodes(),
      configuration: resources.bgpConfiguration(),
      peers: resources.peers(),
      blocks,
      services: services.advertised().keys(),
      pools: resources.pools(),
    });
    problems = result.problems;
    desired = result.desired;
    desiredIsNews = true;
  };

  const refreshRoutes = (): void => {
    if (!stale.routes) return;
    stale.routes = false;
    refreshBgp();
    imported = learnedRoutes({
      paths: rib,
      pools: resources.pools().map((pool) => pool.spec.cidr),
      ownBlocks: blocks,
      nodeAddresses: resources.nodes().flatMap(addressesOf),
      connected,
      unreachable: (nextHop) => {
        const way = fib?.resolve(nextHop);
        return way?.kind === 'unreachable' ? way.why : undefined;
      },
    });
    if (speaker.up) {
      learned.fresh(new Map([...imported.routes].map(([dst, { nextHops }]) => [dst, nextHops])));
      if (!learned.settled() && hasSettled(desired, peers)) learned.settle();
    }
    const all = new Map<Cidr, DesiredRoute>();
    const lost = new Map<Cidr, string>();
    for (const [dst, gateways] of learned.desired()) {
      const { nextHops, why } = hopsTo(gateways, fib);
      if (nextHops.length > 0) all.set(dst, { kind: 'learned', dst, nextHops });
      else if (why !== undefined) lost.set(dst, why);
    }
    unreachable = lost;
    for (const dst of blocks) all.set(dst, { kind: 'blackhole', dst });
    for (const [dst, ifName] of endpointRoutes()) all.set(dst, { kind: 'endpoint', dst, ifName });
    routes.replaceAll(all);
  };

  return {
    accept: (event) => {
      switch (event.kind) {
        case 'blocks':
          blocks = event.blocks;
          stale.bgp = true;
          break;
        case 'fib':
          fib = createFib(event.routes);
          break;
        case 'connected':
          connected = event.subnets;
          break;
        case 'kernel-routes':
          learned.adopt(event.routes);
          break;
        case 'bgp-up':
          speaker = { up: true };
          desiredIsNews = true;
          return;
        case 'bgp-down':
          refreshRoutes(); // What gobgpd last said stays true for now.
          speaker = { up: false, why: event.why };
          rib = [];
          peers = [];
          learned.lost();
          break;
        case 'rib':
          rib = event.paths;
          break;
        case 'peers':
          peers = event.peers;
          break;
        case 'stale-timeout':
          learned.settle();
          break;
        default:
          event satisfies never;
      }
      stale.routes = true;
    },
    resourcesChanged: () => {
      stale.bgp = true;
      stale.routes = true;
    },
    serviceChanged: (kind, name, object) => {
      if (kind === 'Service') services.setService(name, object?.kind === 'Service' ? object : undefined);
      else services.setSlice(name, object?.kind === 'EndpointSlice' ? object : undefined);
      if (services.takeChanged()) stale.bgp = true;
    },
    endpointRoutesChanged: (changes) => {
      if (stale.routes) return; // They are read anew with the rest.
      for (const [dst, ifName] of changes) {
        routes.set(dst, ifName === undefined ? undefined : { kind: 'endpoint', dst, ifName });
      }
    },
    get routes() {
      refreshRoutes();
      return routes;
    },
    takeBgp: () => {
      refreshBgp();
      if (!speaker.up || !desiredIsNews) return undefined;
      desiredIsNews = false;
      return desired;
    },
    bgp: () => {
      refreshRoutes();
      return {
        connected: speaker.up,
        ...(speaker.why === undefined ? {} : { why: speaker.why }),
        desired,
        peers,
        settled: learned.settled(),
      };
    },
    blocks: () => blocks,
    services: services.advertised,
    learned: () => {
      refreshRoutes();
      return imported;
    },
    unreachable: () => {
      refreshRoutes();
      return unreachable;
    },
    problems: () => {
      refreshBgp();
      return problems;
    },
  };
}

/** The ways of all next hops that can be reached, without repeats; `why`: of the last that cannot. */
function hopsTo(
  gateways: readonly Ip[],
  fib: Fib | undefined,
): { readonly nextHops: readonly NextHop[]; readonly why?: string } {
  const found = new Map<string, NextHop>();
  let why: string | undefined;
  for (const gateway of gateways) {
    const way = fib?.resolve(gateway) ?? { kind: 'on-link' as const };
    if (way.kind === 'unreachable') why = way.why;
    for (const hop of way.kind === 'via' ? way.hops : way.kind === 'on-link' ? [{ gateway }] : []) {
      found.set(`${hop.gateway} ${hop.oif ?? ''}`, hop);
    }
  }
  return { nextHops: [...found.values()], ...(why !== undefined && { why }) };
}

function addressesOf(node: Node): readonly Ip[] {
  const found = [nodeAddress(node, 4), nodeAddress(node, 6)];
  return found.flatMap((address) => (address.ok ? [address.value] : []));
}

// End-of-RIB (RFC 4724 §2) from every configured peer: from then on, what is not in the RIB is not there.
function hasSettled(desired: DesiredBgp | undefined, peers: readonly PeerState[]): boolean {
  if (desired === undefined) return false;
  const done = new Set(
    peers.filter((peer) => peer.state === 'established' && peer.endOfRib).map((peer) => peer.address),
  );
  return [...desired.peers.keys()].every((address) => done.has(address));
}
