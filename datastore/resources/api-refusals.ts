// What the API server refuses although the schemas here take it, because a stored object of a newer or older API may
// have it: peers and ports without a field that is known, pools that are not strictly masked, and settings of a name
// that nobody reads.
import { type Cidr, cidrAddress } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';
import type { ClusterNetworkPolicy } from './cluster-network-policy.ts';
import type { Resource } from './index.ts';
import { IPAM_CONFIGURATION_NAME } from './ipam-configuration.ts';
import type { NetworkPolicy } from './network-policy.ts';

/** Sentences in the API server's words. `raw` is the object as it was written: schemas mask host bits. */
export function apiRefusals(resource: Resource, raw: Readonly<Record<string, unknown>>): readonly string[] {
  switch (resource.kind) {
    case 'NetworkPolicy':
      return networkPolicy(resource);
    case 'ClusterNetworkPolicy':
      return clusterNetworkPolicy(resource);
    case 'IPPool':
      return masked(resource.spec.cidr, raw['spec']);
    case 'IPAMConfiguration':
      return named(resource.metadata.name, IPAM_CONFIGURATION_NAME);
    default:
      return [];
  }
}

// pkg/apis/networking/validation ValidateNetworkPolicyPeer.
function networkPolicy({ spec }: NetworkPolicy): readonly string[] {
  const peers = [...listed('ingress', 'from', spec.ingress), ...listed('egress', 'to', spec.egress)];
  return peers.flatMap(({ path, peer: { podSelector, namespaceSelector, ipBlock } }) =>
    (podSelector ?? namespaceSelector ?? ipBlock) === undefined ? `${path}: Required value: must specify a peer` : [],
  );
}

type Peer = Readonly<Record<string, unknown>>;

const listed = <P extends Peer, F extends 'from' | 'to'>(
  direction: string,
  field: F,
  rules: readonly { readonly [K in F]?: readonly P[] }[] = [],
): readonly { readonly path: string; readonly peer: P }[] =>
  rules.flatMap((rule, at) =>
    (rule[field] ?? []).map((peer: P, index: number) => ({
      path: `spec.${direction}[${at}].${field}[${index}]`,
      peer,
    })),
  );

const EGRESS_PEERS = ['namespaces', 'pods', 'nodes', 'networks', 'domainNames'];
const PROTOCOLS = ['tcp', 'udp', 'sctp', 'destinationNamedPort'];

// The CRD of kubernetes-sigs/network-policy-api: minProperties 1 of peers, protocols and ports.
function clusterNetworkPolicy({ spec: { ingress = [], egress = [] } }: ClusterNetworkPolicy): readonly string[] {
  const peers = [
    ...listed('ingress', 'from', ingress).map((one) => ({ ...one, names: ['namespaces', 'pods'] })),
    ...listed('egress', 'to', egress).map((one) => ({ ...one, names: EGRESS_PEERS })),
  ];
  const rules = [
    ...ingress.map(({ protocols }, index) => ({ path: `spec.ingress[${index}]`, protocols })),
    ...egress.map(({ protocols }, index) => ({ path: `spec.egress[${index}]`, protocols })),
  ];
  return [
    ...peers.flatMap(({ path, peer, names }) => needsOne(path, peer, names)),
    ...rules.flatMap(({ path, protocols = [] }) =>
      protocols.flatMap((protocol, index) => {
        const at = `${path}.protocols[${index}]`;
        const ports = (['tcp', 'udp', 'sctp'] as const).flatMap((name) => {
          const port = protocol[name]?.destinationPort;
          return port === undefined ? [] : needsOne(`${at}.${name}.destinationPort`, port, ['number', 'range']);
        });
        return [...needsOne(at, protocol, PROTOCOLS), ...ports];
      }),
    ),
  ];
}

const needsOne = (path: string, given: Peer, names: readonly string[]): readonly string[] =>
  names.some((name) => given[name] !== undefined)
    ? []
    : [`${path}: Invalid value: 0: ${path} in body should have at least 1 properties: ${names.join(', ')}`];

// libcalico-go validates pools with "IPPool CIDR is not strictly masked".
function masked(cidr: Cidr, spec: unknown): readonly string[] {
  const written = typeof spec === 'object' && spec !== null ? Reflect.get(spec, 'cidr') : undefined;
  if (typeof written !== 'string') return [];
  const address = parseIp(written.replace(/\/.*/, ''));
  if (address.ok && address.value === cidrAddress(cidr)) return [];
  return [`spec.cidr: Invalid value: "${written}": must be strictly masked, expected "${cidr}"`];
}

// What calicoctl demands of settings that a cluster has once.
const named = (name: string, only: string): readonly string[] =>
  name === only ? [] : [`metadata.name: Invalid value: "${name}": expected "${only}", no other is read`];
