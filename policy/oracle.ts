// The reference interpreter: judges one packet by reading the Kubernetes objects literally, with nothing precomputed and
// nothing shared with the compiler beyond the plain types, so that the two can be held against each other.
import type { LabelSelector } from '../datastore/resources/metadata.ts';
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../datastore/resources/network-policy.ts';
import { cidrContains } from '../lib/cidr.ts';
import { type Family, type Ip, ipFamily } from '../lib/ip.ts';
import { type Direction, type Protocol, policyKey, type RuleRef } from './ir.ts';
import type { Labels } from './selector.ts';
import type { PodFacts, PodKey } from './world.ts';

/**
 * A cluster at one moment. `nodes` are the addresses of each node by name, for traffic between a pod and its own node;
 * absent: no address is a node's.
 */
export type World = {
  readonly namespaces: ReadonlyMap<string, Labels>;
  readonly pods: readonly PodFacts[];
  readonly policies: readonly NetworkPolicy[];
  readonly nodes?: ReadonlyMap<string, readonly Ip[]>;
};

/** A pod by its key, or an address; an address that a pod owns is that pod. */
export type PacketEnd = { readonly pod: PodKey } | { readonly ip: Ip };

/**
 * The first packet of a connection, as it is after address translation. `port` is the destination's; `portName` instead
 * is looked up among the ports that the destination pod declares. `family` decides which addresses of the pods are
 * meant; absent: IPv4 where both sides have it, else IPv6.
 */
export type Packet = {
  readonly from: PacketEnd;
  readonly to: PacketEnd;
  readonly protocol: Protocol | 'icmp';
  readonly port?: number;
  readonly portName?: string;
  readonly family?: Family;
};

/** Why a packet passes or not. `policies` are those that isolate the pod without allowing the packet. */
export type Verdict =
  | { readonly kind: 'allow'; readonly by: { readonly kind: 'rule'; readonly rule: RuleRef } }
  | { readonly kind: 'allow'; readonly by: { readonly kind: 'not-a-pod' | 'not-isolated' | 'own-node' | 'loopback' } }
  | { readonly kind: 'deny'; readonly by: { readonly kind: 'isolated'; readonly policies: readonly string[] } }
  | { readonly kind: 'deny'; readonly by: { readonly kind: 'tunnel' | 'no-address' | 'no-such-port' } };

/** The sender's side, the receiver's side, and both together. */
export type Judgement = { readonly egress: Verdict; readonly ingress: Verdict; readonly allowed: boolean };

/**
 * Judges a packet. A pod that is not in the world, or has no address of the family, makes it `no-address`; a port name
 * that the destination does not declare for the protocol, `no-such-port`.
 */
export function verdict(world: World, packet: Packet): Judgement {
  const ends = resolveEnds(world, packet);
  if (ends === undefined) return both({ kind: 'deny', by: { kind: 'no-address' } });
  const port = packet.portName === undefined ? packet.port : namedPort(ends.to.pod, packet.portName, packet.protocol);
  if (packet.portName !== undefined && port === undefined) return both({ kind: 'deny', by: { kind: 'no-such-port' } });
  if (ends.from.ip === ends.to.ip && ends.from.pod === ends.to.pod)
    return both({ kind: 'allow', by: { kind: 'loopback' } });
  const facts: Facts = { ...ends, protocol: packet.protocol, port };
  const egress = egressVerdict(world, facts);
  const ingress = ingressVerdict(world, facts);
  return { egress, ingress, allowed: egress.kind === 'allow' && ingress.kind === 'allow' };
}

type End = { readonly ip: Ip; readonly pod: PodFacts | undefined };
type Facts = {
  readonly from: End;
  readonly to: End;
  readonly protocol: Protocol | 'icmp';
  readonly port: number | undefined;
};

const both = (one: Verdict): Judgement => ({ egress: one, ingress: one, allowed: one.kind === 'allow' });

/** VXLAN's UDP port (RFC 7348). A node would decapsulate, and what is inside would escape the pod's policy. */
const VXLAN_PORT = 4789;

function egressVerdict(world: World, facts: Facts): Verdict {
  if (facts.from.pod === undefined) return { kind: 'allow', by: { kind: 'not-a-pod' } };
  if (facts.protocol === 'udp' && facts.port === VXLAN_PORT) return { kind: 'deny', by: { kind: 'tunnel' } };
  return direction(world, 'egress', facts.from.pod, facts);
}

function ingressVerdict(world: World, facts: Facts): Verdict {
  const { pod } = facts.to;
  if (pod === undefined) return { kind: 'allow', by: { kind: 'not-a-pod' } };
  if (isOwnNode(world, pod, facts.from.ip)) return { kind: 'allow', by: { kind: 'own-node' } };
  return direction(world, 'ingress', pod, facts);
}

// The node itself, and pods in its network namespace, which send with its addresses.
function isOwnNode(world: World, { node }: PodFacts, ip: Ip): boolean {
  if (node === undefined) return false;
  if (world.nodes?.get(node)?.includes(ip)) return true;
  return world.pods.some((pod) => pod.hostNetwork && pod.node === node && pod.ips.includes(ip));
}

function direction(world: World, which: Direction, subject: PodFacts, facts: Facts): Verdict {
  const isolating = world.policies.filter(
    (policy) =>
      policy.metadata.namespace === subject.namespace &&
      applies(policy, which) &&
      selects(policy.spec.podSelector, subject.labels),
  );
  if (isolating.length === 0) return { kind: 'allow', by: { kind: 'not-isolated' } };
  const remote = which === 'ingress' ? facts.from.ip : facts.to.ip;
  for (const policy of isolating) {
    for (const [index, { peers, ports }] of rulesOf(policy, which).entries()) {
      const peerHolds = peers.length === 0 || peers.some((peer) => inPeer(world, policy, peer, remote));
      if (!peerHolds || !(ports.length === 0 || ports.some((port) => inPort(world, port, facts)))) continue;
      return { kind: 'allow', by: { kind: 'rule', rule: { policy: keyOf(policy), direction: which, index } } };
    }
  }
  return { kind: 'deny', by: { kind: 'isolated', policies: isolating.map(keyOf) } };
}

const keyOf = ({ metadata }: NetworkPolicy): RuleRef['policy'] =>
  policyKey('NetworkPolicy', metadata.namespace, metadata.name);

function applies({ spec }: NetworkPolicy, which: Direction): boolean {
  const types = spec.policyTypes;
  if (types !== undefined && types.length > 0) return types.includes(which === 'ingress' ? 'Ingress' : 'Egress');
  return which === 'ingress' || (spec.egress !== undefined && spec.egress.length > 0);
}

type PlainRule = { readonly peers: readonly NetworkPolicyPeer[]; readonly ports: readonly NetworkPolicyPort[] };

function rulesOf({ spec }: NetworkPolicy, which: Direction): readonly PlainRule[] {
  if (which === 'ingress') return (spec.ingress ?? []).map(({ from = [], ports = [] }) => ({ peers: from, ports }));
  return (spec.egress ?? []).map(({ to = [], ports = [] }) => ({ peers: to, ports }));
}

function inPeer(world: World, policy: NetworkPolicy, peer: NetworkPolicyPeer, remote: Ip): boolean {
  const { ipBlock, namespaceSelector, podSelector } = peer;
  if (ipBlock !== undefined) {
    if (namespaceSelector !== undefined || podSelector !== undefined) return false;
    return cidrContains(ipBlock.cidr, remote) && !(ipBlock.except ?? []).some((hole) => cidrContains(hole, remote));
  }
  if (namespaceSelector === undefined && podSelector === undefined) return false;
  return podsAt(world, remote).some((pod) => {
    if (podSelector !== undefined && !selects(podSelector, pod.labels)) return false;
    if (namespaceSelector === undefined) return pod.namespace === policy.metadata.namespace;
    const labels = world.namespaces.get(pod.namespace);
    if (labels === undefined) return isEmpty(namespaceSelector);
    return selects(namespaceSelector, { ...labels, 'kubernetes.io/metadata.name': pod.namespace });
  });
}

function inPort(world: World, { protocol = 'TCP', port, endPort }: NetworkPolicyPort, facts: Facts): boolean {
  if (facts.protocol !== protocol.toLowerCase()) return false;
  if (port === undefined) return true;
  if (facts.port === undefined) return false;
  if (typeof port === 'number') return port <= facts.port && facts.port <= (endPort ?? port);
  return podsAt(world, facts.to.ip).some((pod) =>
    pod.ports.some((own) => own.name === port && own.protocol === facts.protocol && own.port === facts.port),
  );
}

function selects(selector: LabelSelector, labels: Labels): boolean {
  const has = (key: string): boolean => Object.hasOwn(labels, key);
  for (const [key, value] of Object.entries(selector.matchLabels ?? {})) {
    if (!has(key) || labels[key] !== value) return false;
  }
  for (const { key, operator, values = [] } of selector.matchExpressions ?? []) {
    const among = has(key) && values.includes(labels[key] ?? '');
    if (operator === 'In' && !among) return false;
    if (operator === 'NotIn' && among) return false;
    if (operator === 'Exists' && !has(key)) return false;
    if (operator === 'DoesNotExist' && has(key)) return false;
  }
  return true;
}

const isEmpty = ({ matchLabels = {}, matchExpressions = [] }: LabelSelector): boolean =>
  Object.keys(matchLabels).length === 0 && matchExpressions.length === 0;

// Pods of the host's network and finished ones have no address that would stand for them.
const podsAt = (world: World, ip: Ip): readonly PodFacts[] =>
  world.pods.filter((pod) => !pod.hostNetwork && !pod.finished && pod.ips.includes(ip));

function namedPort(pod: PodFacts | undefined, name: string, protocol: string): number | undefined {
  return pod?.ports.find((own) => own.name === name && own.protocol === protocol)?.port;
}

type Ends = { readonly from: End; readonly to: End };

function resolveEnds(world: World, { from, to, family }: Packet): Ends | undefined {
  const families: readonly Family[] = family === undefined ? [4, 6] : [family];
  for (const one of families) {
    const source = resolveEnd(world, from, one);
    const target = resolveEnd(world, to, one);
    if (source !== undefined && target !== undefined) return { from: source, to: target };
  }
  return undefined;
}

// A finished pod named by its key keeps its rules until its sandbox is gone; its address is no longer its own.
function resolveEnd(world: World, end: PacketEnd, family: Family): End | undefined {
  if ('ip' in end) return ipFamily(end.ip) === family ? { ip: end.ip, pod: podsAt(world, end.ip)[0] } : undefined;
  const pod = world.pods.find(({ namespace, name }) => `${namespace}/${name}` === end.pod);
  const ip = pod?.ips.find((own) => ipFamily(own) === family);
  if (pod === undefined || ip === undefined) return undefined;
  return { ip, pod: pod.hostNetwork ? undefined : pod };
}
