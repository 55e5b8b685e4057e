// The objects of the datastore that routing looks at, by kind, and what is wrong with any object of any kind.
import { BGP_CONFIGURATION_NAME, type BgpConfiguration } from '../../datastore/resources/bgp-configuration.ts';
import type { BgpFilter } from '../../datastore/resources/bgp-filter.ts';
import type { BgpPeer } from '../../datastore/resources/bgp-peer.ts';
import { meanwhileOf } from '../../datastore/resources/closed-addressing.ts';
import { type Resource, type ResourceKey, resourceKey } from '../../datastore/resources/index.ts';
import type { IpPool } from '../../datastore/resources/ip-pool.ts';
import {
  IPAM_CONFIGURATION_NAME,
  type IpamConfiguration,
  leakGraceMs,
} from '../../datastore/resources/ipam-configuration.ts';
import type { Node } from '../../datastore/resources/node.ts';
import type { Pod } from '../../datastore/resources/pod.ts';
import { SECRET_NAMESPACE, type Secret } from '../../datastore/resources/secret.ts';
import type { Change } from '../../lib/change.ts';
import type { Cidr } from '../../lib/cidr.ts';
import type { Labels } from '../../lib/selector/types.ts';
import { type KeptPod, keepPod, podOf } from './kept-pod.ts';
import { createKeptPods } from './kept-pods.ts';
import { slimEndpointSlice, slimService } from './slim-service.ts';

export type Resources = {
  /**
   * Takes a change. An object that cannot be used (`error`) keeps its last good form when it comes without one that can,
   * and when addresses are given by it: a closed reading of that is for who never knew a better one. Returns what is in
   * force now.
   */
  readonly accept: (
    change: Change<ResourceKey, Resource>,
    error: string | undefined,
  ) => Exclude<Resource, Pod> | KeptPod | undefined;
  /** The object that is in force; of a Pod what is kept of it. */
  readonly get: (key: ResourceKey) => Resource | undefined;
  /** Every object that is in force, of every kind. */
  readonly all: () => Iterable<Resource>;
  /** Every object that is in force but Pods, which are many. */
  readonly allButPods: () => Iterable<Exclude<Resource, Pod>>;
  readonly nodes: () => readonly Node[];
  readonly pools: () => readonly IpPool[];
  readonly peers: () => readonly BgpPeer[];
  /** BGPConfiguration `default`. Absent: the defaults hold. */
  readonly bgpConfiguration: () => BgpConfiguration | undefined;
  /** All BGPConfigurations but `default`. */
  readonly nodeConfigurations: () => readonly BgpConfiguration[];
  readonly filters: () => readonly BgpFilter[];
  /** Those that may hold passwords. They are in no other answer, and are shown to nobody. */
  readonly secrets: () => readonly Secret[];
  /** Of all IPReservations; the same array until one of them changes. */
  readonly reservedCidrs: () => readonly Cidr[];
  /** IPAMConfiguration `default`. Absent: the defaults hold. */
  readonly ipamConfiguration: () => IpamConfiguration | undefined;
  /** How long nobody must have used an address before it is set free. Absent: never; one that cannot be read may say so. */
  readonly leakGraceMs: () => number | undefined;
  readonly namespaceLabels: (namespace: string) => Labels | undefined;
  /** A sentence for each object that cannot be used. */
  readonly problems: () => readonly string[];
};

// Kinds of which a cluster has very many.
function slim(value: Exclude<Resource, Pod>): Exclude<Resource, Pod> {
  switch (value.kind) {
    case 'Service':
      return slimService(value);
    case 'EndpointSlice':
      return slimEndpointSlice(value);
    default:
      return value;
  }
}

/** `ownNode`: whose pods CNI asks for; absent: it may ask for any. */
export function createResources(ownNode?: string): Resources {
  const good = new Map<ResourceKey, Exclude<Resource, Pod>>();
  const pods = createKeptPods();
  const nodes = new Map<ResourceKey, Node>();
  const pools = new Map<ResourceKey, IpPool>();
  const peers = new Map<ResourceKey, BgpPeer>();
  const configurations = new Map<ResourceKey, BgpConfiguration>();
  const filters = new Map<ResourceKey, BgpFilter>();
  const secrets = new Map<ResourceKey, Secret>();
  const problems = new Map<ResourceKey, string>();
  // Those of which a closed reading is in force.
  const closed = new Set<ResourceKey>();
  let reserved: readonly Cidr[] = [];
  const ipamConfiguration = (): IpamConfiguration | undefined => {
    const found = good.get(IPAM_CONFIGURATION);
    return found?.kind === 'IPAMConfiguration' ? found : undefined;
  };
  return {
    accept: ({ key, value }, error) => {
      if (error !== undefined) {
        const before = good.get(key) ?? pods.get(key);
        const meanwhile = value === undefined ? undefined : meanwhileOf(value);
        const keeps = value === undefined || (meanwhile !== undefined && before !== undefined && !closed.has(key));
        problems.set(key, keeps || meanwhile === undefined ? error : `${error}; ${meanwhile}`);
        if (keeps) return before;
        closed.add(key);
      } else {
        problems.delete(key);
        closed.delete(key);
      }
      if (value === undefined) {
        for (const table of [good, pods, nodes, pools, peers, configurations, filters, secrets]) table.delete(key);
        if (key.startsWith('IPReservation/')) reserved = reservedBy(good.values());
        return undefined;
      }
      if (value.kind === 'Secret') {
        if (value.metadata.namespace === SECRET_NAMESPACE) secrets.set(key, value);
        return undefined;
      }
      if (value.kind === 'Pod') {
        return pods.set(key, keepPod(value, ownNode));
      }
      const kept = slim(value);
      good.set(key, kept);
      if (value.kind === 'Node') nodes.set(key, value);
      else if (value.kind === 'IPPool') pools.set(key, value);
      else if (value.kind === 'BGPPeer') peers.set(key, value);
      else if (value.kind === 'BGPConfiguration') configurations.set(key, value);
      else if (value.kind === 'BGPFilter') filters.set(key, value);
      else if (value.kind === 'IPReservation') reserved = reservedBy(good.values());
      return kept;
    },
    get: (key) => {
      const pod = pods.get(key);
      return pod === undefined ? good.get(key) : podOf(pod);
    },
    all: function* () {
      yield* good.values();
      for (const pod of pods.values()) yield podOf(pod);
    },
    allButPods: () => good.values(),
    nodes: () => [...nodes.values()],
    pools: () => [...pools.values()],
    peers: () => [...peers.values()],
    bgpConfiguration: () => configurations.get(DEFAULT_CONFIGURATION),
    nodeConfigurations: () =>
      [...configurations].flatMap(([key, configuration]) => (key === DEFAULT_CONFIGURATION ? [] : [configuration])),
    filters: () => [...filters.values()],
    secrets: () => [...secrets.values()],
    reservedCidrs: () => reserved,
    ipamConfiguration,
    leakGraceMs: () => (problems.has(IPAM_CONFIGURATION) ? undefined : leakGraceMs(ipamConfiguration())),
    namespaceLabels: (namespace) => {
      const found = good.get(resourceKey('Namespace', undefined, namespace));
      return found === undefined ? undefined : (found.metadata.labels ?? {});
    },
    problems: () => [...problems.values()],
  };
}

const IPAM_CONFIGURATION = resourceKey('IPAMConfiguration', undefined, IPAM_CONFIGURATION_NAME);
const DEFAULT_CONFIGURATION = resourceKey('BGPConfiguration', undefined, BGP_CONFIGURATION_NAME);

const reservedBy = (objects: Iterable<Resource>): readonly Cidr[] =>
  [...objects].flatMap((each) => (each.kind === 'IPReservation' ? (each.spec.reservedCIDRs ?? []) : []));
