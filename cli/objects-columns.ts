// Which columns `get` prints for each kind: those of kubectl for Kubernetes' kinds, the like for the others.
import type { BgpPeer } from '../datastore/resources/bgp-peer.ts';
import type { Kind, ResourceOf } from '../datastore/resources/index.ts';
import { blockSizeOf } from '../datastore/resources/ip-pool.ts';
import { type IpamConfiguration, leakGraceMs } from '../datastore/resources/ipam-configuration.ts';
import type { LabelSelector } from '../datastore/resources/metadata.ts';
import type { Node } from '../datastore/resources/node.ts';
import type { NodeStatus, NodeStatusCondition } from '../datastore/resources/node-status.ts';
import type { Pod } from '../datastore/resources/pod.ts';
import type { Service } from '../datastore/resources/service.ts';

/** A column between NAME and AGE, or after AGE, there perhaps only with `-o wide`. */
export type Column<R> = {
  readonly title: string;
  readonly place?: 'after-age' | 'wide';
  readonly cell: (resource: R) => string;
};

type Columns = { readonly [K in Kind]: readonly Column<ResourceOf<K>>[] };

const NONE = '<none>';

const COLUMNS: Columns = {
  Namespace: [{ title: 'STATUS', cell: (namespace) => textAt(namespace, 'status', 'phase') ?? 'Active' }],
  Node: [
    { title: 'STATUS', cell: nodeStatus },
    { title: 'ROLES', cell: nodeRoles },
    {
      title: 'VERSION',
      place: 'after-age',
      cell: (node) => textAt(node, 'status', 'nodeInfo', 'kubeletVersion') ?? NONE,
    },
    { title: 'INTERNAL-IP', place: 'wide', cell: (node) => addressesOf(node, 'InternalIP') },
    { title: 'EXTERNAL-IP', place: 'wide', cell: (node) => addressesOf(node, 'ExternalIP') },
  ],
  Pod: [
    { title: 'READY', cell: readyOf },
    { title: 'STATUS', cell: podStatus },
    { title: 'RESTARTS', cell: restartsOf },
    { title: 'IP', place: 'wide', cell: (pod) => pod.status?.podIP ?? NONE },
    { title: 'NODE', place: 'wide', cell: (pod) => pod.spec.nodeName ?? NONE },
    { title: 'NOMINATED NODE', place: 'wide', cell: (pod) => textAt(pod, 'status', 'nominatedNodeName') ?? NONE },
    { title: 'READINESS GATES', place: 'wide', cell: () => NONE },
  ],
  Service: [
    { title: 'TYPE', cell: ({ spec }) => spec.type ?? 'ClusterIP' },
    { title: 'CLUSTER-IP', cell: ({ spec }) => spec.clusterIP || NONE },
    { title: 'EXTERNAL-IP', cell: externalIps },
    { title: 'PORT(S)', cell: ports },
  ],
  EndpointSlice: [
    { title: 'ADDRESSTYPE', cell: ({ addressType }) => addressType },
    {
      title: 'ENDPOINTS',
      cell: ({ endpoints = [] }) => endpoints.flatMap((of) => of.addresses ?? []).join(',') || NONE,
    },
  ],
  NetworkPolicy: [{ title: 'POD-SELECTOR', cell: ({ spec }) => printSelector(spec.podSelector) }],
  ClusterNetworkPolicy: [
    { title: 'TIER', cell: ({ spec }) => spec.tier },
    { title: 'PRIORITY', cell: ({ spec }) => String(spec.priority) },
  ],
  IPPool: [
    { title: 'CIDR', cell: ({ spec }) => spec.cidr },
    { title: 'BLOCKSIZE', cell: (pool) => String(blockSizeOf(pool)) },
    { title: 'NAT', cell: ({ spec }) => String(spec.natOutgoing ?? false) },
    { title: 'DISABLED', cell: ({ spec }) => String(spec.disabled ?? false) },
    { title: 'SELECTOR', place: 'wide', cell: ({ spec }) => spec.nodeSelector ?? 'all()' },
  ],
  IPBlock: [
    { title: 'CIDR', cell: ({ spec }) => spec.cidr },
    { title: 'NODE', cell: ({ spec }) => spec.node },
    { title: 'POOL', cell: ({ spec }) => spec.pool },
  ],
  NodeStatus: [
    { title: 'NODE', cell: ({ spec }) => spec.node },
    { title: 'BGP', cell: ({ status }) => nodeSessions(status?.bgp) },
    { title: 'PROBLEM', cell: ({ status }) => problemsOf(status?.conditions) },
    { title: 'UPDATED', cell: ({ status }) => status?.lastUpdated ?? 'never' },
  ],
  IPReservation: [{ title: 'CIDRS', cell: ({ spec }) => spec.reservedCIDRs?.join(',') || NONE }],
  IPAMConfiguration: [
    { title: 'COOLDOWN', cell: ({ spec }) => `${spec.ipCooldownSeconds ?? 0}s` },
    { title: 'MAXBLOCKS', cell: ({ spec }) => String(spec.maxBlocksPerHost ?? 0) },
    { title: 'AUTOALLOCATE', cell: ({ spec }) => String(spec.autoAllocateBlocks ?? true) },
    { title: 'LEAKGRACE', cell: leakGrace },
  ],
  BGPConfiguration: [
    { title: 'ASNUMBER', cell: ({ spec }) => String(spec.asNumber ?? 64512) },
    { title: 'MESH', cell: ({ spec }) => String(spec.nodeToNodeMeshEnabled ?? true) },
    { title: 'PORT', cell: ({ spec }) => String(spec.listenPort ?? 179) },
  ],
  BGPPeer: [
    { title: 'PEER', cell: peerOf },
    { title: 'ASNUMBER', cell: ({ spec }) => String(spec.asNumber ?? NONE) },
    { title: 'NODES', cell: peerNodes },
    { title: 'FILTERS', place: 'wide', cell: ({ spec }) => spec.filters?.join(',') || NONE },
  ],
  BGPFilter: [
    { title: 'IMPORT', cell: ({ spec }) => String((spec.importV4?.length ?? 0) + (spec.importV6?.length ?? 0)) },
    { title: 'EXPORT', cell: ({ spec }) => String((spec.exportV4?.length ?? 0) + (spec.exportV6?.length ?? 0)) },
  ],
  Secret: [
    { title: 'TYPE', cell: ({ type }) => type ?? 'Opaque' },
    { title: 'DATA', cell: ({ data, stringData }) => String(Object.keys({ ...data, ...stringData }).length) },
  ],
};

/** Columns of a kind, for objects of this kind. */
export const columnsOf = <K extends Kind>(kind: K): readonly Column<ResourceOf<K>>[] => COLUMNS[kind];

/** A LabelSelector in kubectl's short form: `app=web,tier in (a,b),!old`. */
export function printSelector({ matchLabels = {}, matchExpressions = [] }: LabelSelector): string {
  const equal = Object.entries(matchLabels)
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([key, value]) => `${key}=${value}`);
  const others = matchExpressions.map((expression) => {
    switch (expression.operator) {
      case 'In':
        return `${expression.key} in (${expression.values.join(',')})`;
      case 'NotIn':
        return `${expression.key} notin (${expression.values.join(',')})`;
      case 'Exists':
        return expression.key;
      case 'DoesNotExist':
        return `!${expression.key}`;
      default:
        return expression satisfies never;
    }
  });
  return [...equal, ...others].join(',') || NONE;
}

function nodeSessions(bgp: NonNullable<NodeStatus['status']>['bgp']): string {
  if (bgp === undefined) return NONE;
  const up = bgp.numberEstablishedV4 + bgp.numberEstablishedV6;
  return `${up}/${up + bgp.numberNotEstablishedV4 + bgp.numberNotEstablishedV6}`;
}

/** Reasons of the conditions that are not as they should be. */
function problemsOf(conditions: readonly NodeStatusCondition[] = []): string {
  const bad = conditions.filter(({ type, status }) => (status === 'True') === (type === 'Draining'));
  return bad.map(({ reason }) => reason).join(',') || NONE;
}

function nodeStatus(node: Node): string {
  const ready = listAt(node, 'status', 'conditions').find((condition) => textAt(condition, 'type') === 'Ready');
  const status = textAt(ready, 'status');
  const word = status === 'True' ? 'Ready' : status === 'False' ? 'NotReady' : 'Unknown';
  return node.spec?.['unschedulable'] === true ? `${word},SchedulingDisabled` : word;
}

function nodeRoles(node: Node): string {
  const prefix = 'node-role.kubernetes.io/';
  const labels = Object.keys(node.metadata.labels ?? {}).filter((key) => key.startsWith(prefix));
  const roles = labels.map((key) => key.slice(prefix.length));
  return roles.sort().join(',') || NONE;
}

function addressesOf(node: Node, type: string): string {
  const addresses = (node.status?.addresses ?? []).filter((address) => address.type === type);
  return addresses.map(({ address }) => address).join(',') || NONE;
}

function readyOf(pod: Pod): string {
  const statuses = listAt(pod, 'status', 'containerStatuses');
  const ready = statuses.filter((status) => valueAt(status, 'ready') === true).length;
  return `${ready}/${Math.max(pod.spec.containers?.length ?? 0, statuses.length)}`;
}

function podStatus(pod: Pod): string {
  if (pod.metadata.deletionTimestamp !== undefined) return 'Terminating';
  const waiting = listAt(pod, 'status', 'containerStatuses')
    .map((status) => textAt(status, 'state', 'waiting', 'reason'))
    .find((reason) => reason !== undefined);
  return waiting ?? textAt(pod, 'status', 'reason') ?? pod.status?.phase ?? 'Pending';
}

function restartsOf(pod: Pod): string {
  const counts = listAt(pod, 'status', 'containerStatuses').map((status) =>
    Number(valueAt(status, 'restartCount') ?? 0),
  );
  return String(counts.reduce((sum, count) => sum + count, 0));
}

function externalIps({ spec, status }: Service): string {
  const given = (status?.loadBalancer?.ingress ?? []).map((ingress) => ingress.ip ?? textAt(ingress, 'hostname') ?? '');
  const all = [...given, ...(spec.externalIPs ?? [])].filter((text) => text !== '').join(',');
  if (all !== '') return all;
  return spec.type === 'LoadBalancer' ? '<pending>' : NONE;
}

function ports({ spec }: Service): string {
  const texts = listAt(spec, 'ports').map((port) => {
    const nodePort = valueAt(port, 'nodePort');
    const number = `${valueAt(port, 'port')}${nodePort === undefined ? '' : `:${nodePort}`}`;
    return `${number}/${textAt(port, 'protocol') ?? 'TCP'}`;
  });
  return texts.join(',') || NONE;
}

function leakGrace(configuration: IpamConfiguration): string {
  const ms = leakGraceMs(configuration);
  return ms === undefined ? 'never' : `${ms / 1000}s`;
}

function peerOf({ spec }: BgpPeer): string {
  return spec.peerIP ?? spec.peerSelector ?? spec.autoDiscovery?.mode ?? NONE;
}

function peerNodes({ spec }: BgpPeer): string {
  return spec.node ?? spec.nodeSelector ?? 'all()';
}

function valueAt(value: unknown, ...path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (inner, step) => (typeof inner === 'object' && inner !== null ? Reflect.get(inner, step) : undefined),
    value,
  );
}

function textAt(value: unknown, ...path: readonly string[]): string | undefined {
  const found = valueAt(value, ...path);
  return typeof found === 'string' && found !== '' ? found : undefined;
}

function listAt(value: unknown, ...path: readonly string[]): readonly unknown[] {
  const found = valueAt(value, ...path);
  return Array.isArray(found) ? found : [];
}
