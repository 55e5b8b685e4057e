// The kinds that the datastore holds: one table from which get, apply, the store and the agent take names and schemas.
import { type BgpConfiguration, bgpConfigurationSchema } from './bgp-configuration.ts';
import { type BgpFilter, bgpFilterSchema } from './bgp-filter.ts';
import { type BgpPeer, bgpPeerSchema } from './bgp-peer.ts';
import { type ClusterNetworkPolicy, clusterNetworkPolicySchema } from './cluster-network-policy.ts';
import { type EndpointSlice, endpointSliceSchema } from './endpoint-slice.ts';
import { type IpBlock, ipBlockSchema } from './ip-block.ts';
import { type IpPool, ipPoolSchema } from './ip-pool.ts';
import { type IpReservation, ipReservationSchema } from './ip-reservation.ts';
import { type IpamConfiguration, ipamConfigurationSchema } from './ipam-configuration.ts';
import { type Namespace, namespaceSchema } from './namespace.ts';
import { type NetworkPolicy, networkPolicySchema } from './network-policy.ts';
import { type Node, nodeSchema } from './node.ts';
import { type NodeStatus, nodeStatusSchema } from './node-status.ts';
import { type Pod, podSchema } from './pod.ts';
import { type Secret, secretSchema } from './secret.ts';
import { type Service, serviceSchema } from './service.ts';

/** Every object that passes through the store. */
export type Resource =
  | Namespace
  | Node
  | Pod
  | Service
  | EndpointSlice
  | NetworkPolicy
  | ClusterNetworkPolicy
  | IpPool
  | IpBlock
  | NodeStatus
  | IpReservation
  | IpamConfiguration
  | BgpConfiguration
  | BgpPeer
  | BgpFilter
  | Secret;

export type Kind = Resource['kind'];

/** The resource type of a kind. */
export type ResourceOf<K extends Kind> = Extract<Resource, { kind: K }>;

/** Names of each kind as the API server and kubectl have them. */
export const KINDS = {
  Namespace: { apiVersion: 'v1', plural: 'namespaces', shortNames: ['ns'], namespaced: false, schema: namespaceSchema },
  Node: { apiVersion: 'v1', plural: 'nodes', shortNames: ['no'], namespaced: false, schema: nodeSchema },
  Pod: { apiVersion: 'v1', plural: 'pods', shortNames: ['po'], namespaced: true, schema: podSchema },
  Service: { apiVersion: 'v1', plural: 'services', shortNames: ['svc'], namespaced: true, schema: serviceSchema },
  EndpointSlice: {
    apiVersion: 'discovery.k8s.io/v1',
    plural: 'endpointslices',
    shortNames: [],
    namespaced: true,
    schema: endpointSliceSchema,
  },
  NetworkPolicy: {
    apiVersion: 'networking.k8s.io/v1',
    plural: 'networkpolicies',
    shortNames: ['netpol'],
    namespaced: true,
    schema: networkPolicySchema,
  },
  ClusterNetworkPolicy: {
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    plural: 'clusternetworkpolicies',
    shortNames: ['cnp'],
    namespaced: false,
    schema: clusterNetworkPolicySchema,
  },
  IPPool: {
    apiVersion: 'projectcalico.org/v3',
    plural: 'ippools',
    shortNames: [],
    namespaced: false,
    schema: ipPoolSchema,
  },
  IPBlock: {
    apiVersion: 'margay.dev/v1alpha1',
    plural: 'ipblocks',
    shortNames: [],
    namespaced: false,
    schema: ipBlockSchema,
  },
  NodeStatus: {
    apiVersion: 'margay.dev/v1alpha1',
    plural: 'nodestatuses',
    shortNames: [],
    namespaced: false,
    schema: nodeStatusSchema,
  },
  IPReservation: {
    apiVersion: 'projectcalico.org/v3',
    plural: 'ipreservations',
    shortNames: [],
    namespaced: false,
    schema: ipReservationSchema,
  },
  IPAMConfiguration: {
    apiVersion: 'projectcalico.org/v3',
    plural: 'ipamconfigurations',
    shortNames: ['ipamconfig'],
    namespaced: false,
    schema: ipamConfigurationSchema,
  },
  BGPConfiguration: {
    apiVersion: 'projectcalico.org/v3',
    plural: 'bgpconfigurations',
    shortNames: ['bgpconfig'],
    namespaced: false,
    schema: bgpConfigurationSchema,
  },
  BGPPeer: {
    apiVersion: 'projectcalico.org/v3',
    plural: 'bgppeers',
    shortNames: [],
    namespaced: false,
    schema: bgpPeerSchema,
  },
  BGPFilter: {
    apiVersion: 'projectcalico.org/v3',
    plural: 'bgpfilters',
    shortNames: [],
    namespaced: false,
    schema: bgpFilterSchema,
  },
  Secret: { apiVersion: 'v1', plural: 'secrets', shortNames: [], namespaced: true, schema: secretSchema },
} as const satisfies Record<Kind, object>;

/** All kinds, in the order of the table. */
export const KIND_NAMES: readonly Kind[] = Object.values(KINDS).map(({ schema }) => schema.shape.kind.value);

/** Whether a text is the name of a kind, spelt as in a manifest. */
export const isKind = (text: string): text is Kind => Object.hasOwn(KINDS, text);

export const isOfKind = <K extends Kind>(resource: Resource, kind: K): resource is ResourceOf<K> =>
  resource.kind === kind;

/** Identity of an object: `Kind/name` or `Kind/namespace/name`. */
export type ResourceKey = `${Kind}/${string}`;

export function resourceKey(kind: Kind, namespace: string | undefined, name: string): ResourceKey {
  return namespace === undefined ? `${kind}/${name}` : `${kind}/${namespace}/${name}`;
}

export function keyOf(resource: Resource): ResourceKey {
  const namespace = 'namespace' in resource.metadata ? resource.metadata.namespace : undefined;
  return resourceKey(
    resource.kind,
    KINDS[resource.kind].namespaced ? String(namespace) : undefined,
    resource.metadata.name,
  );
}
