// networking.k8s.io/v1 NetworkPolicy to the IR: defaults, scopes, ports. Total: whatever part of a policy cannot be
// understood becomes a peer or a rule that matches nothing, and the isolation stays.
import { whyUnreadable } from '../../datastore/resources/closed-part.ts';
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../datastore/resources/network-policy.ts';
import { type Cidr, parseCidr } from '../../lib/cidr.ts';
import {
  type Direction,
  type Peer,
  type Policy,
  type Port,
  type Protocol,
  policyKey,
  type Rule,
  TIERS,
} from '../ir.ts';
import type { NamespaceScope } from '../pod-scope.ts';
import { ALL, selectorOf } from '../selector.ts';

/** Calico's order of a NetworkPolicy in the default tier; among themselves their order has no effect. */
const ORDER = 1000;

/** The policy in the IR. Needs no defaults written by an API server. */
export function convertNetworkPolicy({ metadata, spec }: NetworkPolicy): Policy {
  const { namespace } = metadata;
  const key = policyKey('NetworkPolicy', namespace, metadata.name);
  const own: NamespaceScope = { kind: 'name', name: namespace };
  const ruleOf = (direction: Direction, index: number, peers: Peers, ports: Ports): Rule => ({
    ref: { policy: key, direction, index },
    action: 'allow',
    peers: convertPeers(peers, own),
    ports: convertPorts(ports),
  });
  const types = policyTypes(spec);
  return {
    key,
    tier: TIERS.networkPolicy,
    order: ORDER,
    subject: { namespaces: own, pods: selectorOf(spec.podSelector) },
    ...(types.ingress && {
      ingress: spec.ingress?.map(({ from, ports }, index) => ruleOf('ingress', index, from, ports)) ?? NO_RULES,
    }),
    ...(types.egress && {
      egress: spec.egress?.map(({ to, ports }, index) => ruleOf('egress', index, to, ports)) ?? NO_RULES,
    }),
  };
}

const NO_RULES: readonly Rule[] = [];

type Peers = readonly NetworkPolicyPeer[] | undefined;
type Ports = readonly NetworkPolicyPort[] | undefined;

// pkg/apis/networking/v1/defaults.go: Ingress always, Egress if there is at least one egress rule.
function policyTypes(spec: NetworkPolicy['spec']): { readonly ingress: boolean; readonly egress: boolean } {
  const types = spec.policyTypes ?? [];
  if (types.length === 0) return { ingress: true, egress: (spec.egress ?? []).length > 0 };
  return { ingress: types.includes('Ingress'), egress: types.includes('Egress') };
}

function convertPeers(peers: Peers, own: NamespaceScope): Rule['peers'] {
  if (peers === undefined || peers === null || peers.length === 0) return 'any';
  return peers.map((peer) => convertPeer(peer, own));
}

function convertPeer(peer: NetworkPolicyPeer, own: NamespaceScope): Peer {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  if (ipBlock !== undefined) {
    if (podSelector !== undefined || namespaceSelector !== undefined) {
      return { kind: 'nothing', why: 'ipBlock excludes podSelector and namespaceSelector' };
    }
    return convertIpBlock(ipBlock);
  }
  if (podSelector === undefined && namespaceSelector === undefined) {
    return { kind: 'nothing', why: whyUnreadable(peer) ?? 'the peer has no podSelector, namespaceSelector or ipBlock' };
  }
  const namespaces: NamespaceScope =
    namespaceSelector === undefined ? own : { kind: 'selector', selector: selectorOf(namespaceSelector) };
  return { kind: 'pods', scope: { namespaces, pods: podSelector === undefined ? ALL : selectorOf(podSelector) } };
}

// An `except` that cannot be read might have carved out anything, so it takes the whole block with it.
function convertIpBlock(block: NonNullable<NetworkPolicyPeer['ipBlock']>): Peer {
  const cidr = parseCidr(String(block.cidr));
  if (!cidr.ok) return { kind: 'nothing', why: cidr.error };
  const except: Cidr[] = [];
  for (const text of block.except ?? []) {
    const hole = parseCidr(String(text));
    if (!hole.ok) return { kind: 'nothing', why: hole.error };
    except.push(hole.value);
  }
  return { kind: 'cidr', cidr: cidr.value, except };
}

function convertPorts(ports: Ports): Rule['ports'] {
  if (ports === undefined || ports === null || ports.length === 0) return 'any';
  return ports.flatMap((port) => convertPort(port) ?? []);
}

const PROTOCOLS: Readonly<Record<string, Protocol>> = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' };

// Undefined: not to be understood, matches nothing.
function convertPort({ protocol: name, port, endPort }: NetworkPolicyPort): Port | undefined {
  const protocol = PROTOCOLS[name ?? 'TCP'];
  if (protocol === undefined) return undefined;
  if (port === undefined) return endPort === undefined ? { kind: 'protocol', protocol } : undefined;
  if (typeof port === 'string') return endPort === undefined ? { kind: 'named', name: port, protocol } : undefined;
  const to = endPort ?? port;
  return isPort(port) && isPort(to) && port <= to ? { kind: 'range', protocol, from: port, to } : undefined;
}

const isPort = (value: number): boolean => Number.isInteger(value) && value >= 1 && value <= 65535;
