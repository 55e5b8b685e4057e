// The routed half of the model: which blocks are announced, to whom, and which routes the kernel should have.
//
//   nodes, BGP objects, pools, blocks ──► desired BGP
//   RIB, pools, subnets ──► import rules ──► learned ─┐
//   blocks ──────────────────────────────► blackholes ├─► routes (keyed, dirty)
//   endpoints ───────────────────────────► /32 routes ┘
import { type DesiredBgpResult, desiredBgp } from '../../bgp/model/desired.ts';
import { drainOf } from '../../bgp/model/drain.ts';
import type { LearnedRoutes as ImportedRoutes } from '../../bgp/model/learned.ts';
import { nodeAddress, nodeClusterId } from '../../bgp/model/node-addresses.ts';
import type { Drain } from '../../bgp/model/own-paths.ts';
import { allServiceRanges, serviceRanges } from '../../bgp/model/service-ranges.ts';
import { type AdvertisedService, createServiceAdvertiser } from '../../bgp/model/services.ts';
import type { DesiredBgp, PeerState, RibPath } from '../../bgp/model/types.ts';
import type { EndpointSlice } from '../../datastore/resources/endpoint-slice.ts';
import type { Node } from '../../datastore/resources/node.ts';
import type { Service } from '../../datastore/resources/service.ts';
import { type Cidr, cidrAddress, cidrContainsCidr, cidrLength } from '../../lib/cidr.ts';
import type { Ip } from '../../lib/ip.ts';
import type { KeyedTable } from '../../lib/keyed-table.ts';
import type { IfName } from '../../lib/linux/if-name.ts';
import type { Route } from '../../lib/linux/routes.ts';
import type { RoutingEvent } from './events.ts';
import type { Resolution } from './fib.ts';
import type { Resources } from './resources.ts';
import type { DesiredRoute } from './route.ts';
import { createRouteTable } from './route-table.ts';

export type BgpView = {
  readonly connected: boolean;
  /** Why gobgpd is not there. */
  readonly why?: string;
  readonly desired: DesiredBgp | undefined;
  readonly peers: readonly PeerState[];
  /** Every peer is established and has told all it knows, or the stale timer ran out. */
  readonly settled: boolean;
  /** Absent: the node takes traffic. */
  readonly drain?: Drain;
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
  /** Addresses of the nodes that are route reflectors. */
  readonly reflectors: () => ReadonlySet<Ip>;
  /** Service addresses that are advertised from here, and for whom. */
  readonly services: () => ReadonlyMap<Cidr, AdvertisedService>;
  readonly learned: () => ImportedRoutes;
  /** Paths of a prefix in the RIB as it was last read. */
  readonly paths: (prefix: Cidr) => readonly RibPath[];
  /** Routes of an earlier life that are not written because none of their next hops can be reached, and why. */
  readonly unreachable: () => ReadonlyMap<Cidr, string>;
  /** Where packets to an address leave this node. Absent: no routes were read yet. */
  readonly wayTo: (address: Ip) => Resolution | undefined;
  readonly problems: () => readonly string[];
};

/** `endpointRoutes`: the host routes of all present endpoints. */
export function createRouting(
  node: string,
  resources: Resources,
  endpointRoutes: () => ReadonlyMap<Cidr, IfName>,
): Routing {
  const services = createServiceAdvertiser(node);
  let blocks: readonly Cidr[] = [];
  let peers: readonly PeerState[] = [];
  let speaker: { readonly up: boolean; readonly why?: string } = { up: false, why: 'not answered yet' };
  let desired: DesiredBgp | undefined;
  let desiredIsNews = false;
  let drain: Drain | undefined;
  let imports: DesiredBgpResult['imports'] = new Map();
  let staticRoutes: DesiredBgpResult['staticRoutes'] = [];
  let defaultGateways: readonly Ip[] = [];
  let problems: readonly string[] = [];
  // Work waits until somebody asks: a snapshot of thousands of nodes is looked at once, not once for each of them.
  let stale = false;
  const table = createRouteTable({
    blocks: () => blocks,
    pools: () => resources.pools().map((pool) => pool.spec.cidr),
    nodeAddresses: () => resources.nodes().flatMap(addressesOf),
    serviceRanges: () => allServiceRanges(serviceRanges(resources.bgpConfiguration(), undefined)),
    imports: () => {
      refreshBgp();
      return imports;
    },
    endpoints: endpointRoutes,
    statics: () => {
      refreshBgp();
      return staticRoutes;
    },
  });

  /** A pod's address that no block of ours speaks for. */
  const isStray = (dst: Cidr): boolean => !blocks.some((block) => cidrContainsCidr(block, dst));

  const refreshBgp = (): void => {
    if (!stale) return;
    stale = false;
    const own = resources.nodes().find(({ metadata }) => metadata.name === node);
    services.configure(serviceRanges(resources.bgpConfiguration(), own));
    services.takeChanged(); // It is all said anew.
    const wish = drainOf(own);
    drain = wish.drain;
    const result = desiredBgp({
      node,
      nodes: resources.nodes(),
      configuration: resources.bgpConfiguration(),
      nodeConfigurations: resources.nodeConfigurations(),
      peers: resources.peers(),
      filters: resources.filters(),
      secrets: resources.secrets(),
      blocks,
      addresses: [...endpointRoutes().keys()].filter(isStray).map(cidrAddress),
      services: services.advertised().keys(),
      pools: resources.pools(),
      defaultGateways,
      draining: drain,
    });
    problems = [...wish.problems, ...result.problems];
    desired = result.desired;
    // A node that cannot speak leaves what runs as it is, and its routes as well.
    if (desired !== undefined) ({ imports, staticRoutes } = result);
    desiredIsNews = true;
  };

  // Also when the last peer that was waited for is no longer wanted.
  const settleIfDone = (): void => {
    refreshBgp();
    if (speaker.up && !table.settled() && hasSettled(desired, peers)) table.settle();
  };

  return {
    accept: (event) => {
      switch (event.kind) {
        case 'blocks':
          blocks = event.blocks;
          stale = true;
          table.contextChanged();
          break;
        case 'fib':
          table.setFib(event.routes);
          if (defaultGatewaysOf(event.routes).join() !== defaultGateways.join()) {
            defaultGateways = defaultGatewaysOf(event.routes);
            stale = true;
          }
          break;
        case 'connected':
          table.setConnected(event.subnets);
          break;
        case 'kernel-routes':
          table.adopt(event.routes);
          break;
        case 'bgp-up':
          speaker = { up: true };
          desiredIsNews = true;
          table.ribBack();
          break;
        case 'bgp-down':
          speaker = { up: false, why: event.why };
          peers = [];
          table.ribLost();
          break;
        case 'rib':
          table.setRib(event.paths);
          break;
        case 'rib-part':
          table.patchRib(event.prefixes);
          break;
        case 'peers':
          peers = event.peers;
          break;
        case 'stale-timeout':
          table.settle();
          break;
        default:
          event satisfies never;
      }
    },
    resourcesChanged: () => {
      stale = true;
      table.contextChanged();
    },
    serviceChanged: (kind, name, object) => {
      if (kind === 'Service') services.setService(name, object?.kind === 'Service' ? object : undefined);
      else services.setSlice(name, object?.kind === 'EndpointSlice' ? object : undefined);
      if (services.takeChanged()) stale = true;
    },
    endpointRoutesChanged: (changes) => {
      table.endpointsChanged(changes);
      if ([...changes.keys()].some(isStray)) stale = true;
    },
    get routes() {
      settleIfDone();
      return table.routes();
    },
    takeBgp: () => {
      refreshBgp();
      if (!speaker.up || !desiredIsNews) return undefined;
      desiredIsNews = false;
      return desired;
    },
    bgp: () => {
      settleIfDone();
      return {
        connected: speaker.up,
        ...(speaker.why === undefined ? {} : { why: speaker.why }),
        desired,
        peers,
        settled: table.settled(),
        ...(drain === undefined ? {} : { drain }),
      };
    },
    blocks: () => blocks,
    reflectors: () => new Set(resources.nodes().filter(isReflector).flatMap(addressesOf)),
    services: services.advertised,
    learned: table.imported,
    paths: table.paths,
    unreachable: table.unreachable,
    wayTo: table.wayTo,
    problems: () => {
      refreshBgp();
      return problems;
    },
  };
}

/** Sorted, so that the order in which the kernel tells them says nothing. */
function defaultGatewaysOf(routes: readonly Route[]): readonly Ip[] {
  const defaults = routes.filter(({ dst, type }) => cidrLength(dst) === 0 && type === 'unicast');
  return [...new Set(defaults.flatMap(({ nextHops }) => nextHops.map(({ gateway }) => gateway)))].sort();
}

function isReflector(node: Node): boolean {
  const clusterId = nodeClusterId(node);
  return clusterId.ok && clusterId.value !== undefined;
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
