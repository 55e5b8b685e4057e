// The reference interpreter: judges one packet by reading the Kubernetes objects literally, with nothing precomputed and
// nothing shared with the compiler beyond the plain types, so that the two can be held against each other.
import { type Cidr, cidrContains } from '../lib/cidr.ts';
import { type Family, type Ip, ipFamily } from '../lib/ip.ts';
import type { PolicyResource } from './convert/policy.ts';
import type { Direction, Protocol, RuleRef } from './ir.ts';
import { isSubjectUnknown, judgeClusterTier } from './oracle-cluster-network-policy.ts';
import { type End, type Facts, podsAt } from './oracle-facts.ts';
import { judgeNetworkPolicies } from './oracle-network-policy.ts';
import type { Labels } from './selector.ts';
import type { PodFacts, PodKey } from './world.ts';

/**
 * A cluster at one moment. `nodes` are the addresses of each node by name, for traffic between a pod and its own node
 * and for peers that are nodes; absent: no address is a node's. `nodeLabels` are their labels; absent: they have none.
 */
export type World = {
  readonly namespaces: ReadonlyMap<string, Labels>;
  readonly pods: readonly PodFacts[];
  readonly policies: readonly PolicyResource[];
  readonly nodes?: ReadonlyMap<string, readonly Ip[]>;
  readonly nodeLabels?: ReadonlyMap<string, Labels>;
  /** Where nodes speak BGP that is not among `nodes`. Absent: nowhere. */
  readonly bgpAddresses?: readonly Ip[];
  /** On which ports they listen besides 179. Absent: none. */
  readonly bgpPorts?: readonly number[];
  /** The TCP port of nodes where agents keep their metrics from pods. Absent: none. */
  readonly metricsPort?: number | undefined;
  /** The ranges of service addresses that nodes advertise. Absent: none. */
  readonly serviceRanges?: readonly Cidr[];
};

/** A pod by its key, or an address; an address that a pod owns is that pod. */
export type PacketEnd = { readonly pod: PodKey } | { readonly ip: Ip };

/**
 * The first packet of a connection, as it is after address translation. `port` is the destination's; `portName` instead
 * is looked up among the ports that the destination pod declares. `family` decides which addresses of the pods are
 * meant; absent: IPv4 where both sides have it, else IPv6. From a pod to itself a packet never leaves the pod, unless
 * `hairpin` says that it went out to a Service and was sent back.
 */
export type Packet = {
  readonly from: PacketEnd;
  readonly to: PacketEnd;
  readonly protocol: Protocol | 'icmp';
  readonly port?: number;
  readonly portName?: string;
  readonly family?: Family;
  readonly hairpin?: true;
};

/**
 * Why a packet passes or not. `policies` are those that isolate the pod without allowing the packet.
 * `unknown-namespace`: some policy selects pods by the labels of their namespace, and those of the pod's are not known.
 */
export type Verdict =
  | { readonly kind: 'allow'; readonly by: { readonly kind: 'rule'; readonly rule: RuleRef } }
  | { readonly kind: 'allow'; readonly by: { readonly kind: 'not-a-pod' | 'not-isolated' | 'own-node' | 'loopback' } }
  | { readonly kind: 'deny'; readonly by: { readonly kind: 'isolated'; readonly policies: readonly string[] } }
  | { readonly kind: 'deny'; readonly by: { readonly kind: 'rule'; readonly rule: RuleRef } }
  | {
      readonly kind: 'deny';
      readonly by: {
        readonly kind:
          | 'tunnel'
          | 'bgp'
          | 'metrics'
          | 'no-service'
          | 'no-address'
          | 'no-such-port'
          | 'unknown-namespace';
      };
    };

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
  const toItself = ends.from.ip === ends.to.ip && ends.from.pod === ends.to.pod;
  if (toItself && packet.hairpin === undefined) return both({ kind: 'allow', by: { kind: 'loopback' } });
  const facts: Facts = { ...ends, protocol: packet.protocol, port, hairpin: toItself };
  const egress = egressVerdict(world, facts);
  const ingress = ingressVerdict(world, facts);
  return { egress, ingress, allowed: egress.kind === 'allow' && ingress.kind === 'allow' };
}

const both = (one: Verdict): Judgement => ({ egress: one, ingress: one, allowed: one.kind === 'allow' });

/** VXLAN's UDP port (RFC 7348). A node would decapsulate, and what is inside would escape the pod's policy. */
const VXLAN_PORT = 4789;

/** BGP's TCP port (RFC 4271 8.2.1). A node's peers are routers and nodes, never pods. */
const BGP_PORT = 179;

/** UDP ports of BFD (RFC 5881 section 4, RFC 5883 section 5), which may end sessions of BGP. */
const BFD_PORTS = [3784, 3785, 4784];

function egressVerdict(world: World, facts: Facts): Verdict {
  if (facts.from.pod === undefined) return { kind: 'allow', by: { kind: 'not-a-pod' } };
  if (facts.protocol === 'udp' && facts.port === VXLAN_PORT) return { kind: 'deny', by: { kind: 'tunnel' } };
  const isNode = isOwnNode(world, facts.from.pod, facts.to.ip) || isAnyNode(world, facts.to.ip);
  if (isNode && isBgp(world, facts)) return { kind: 'deny', by: { kind: 'bgp' } };
  if (isNode && isMetrics(world, facts)) return { kind: 'deny', by: { kind: 'metrics' } };
  const opinion = direction(world, 'egress', facts.from.pod, facts);
  if (opinion.kind === 'deny' || !isUnservedService(world, facts.from.pod, facts.to.ip)) return opinion;
  return { kind: 'deny', by: { kind: 'no-service' } };
}

// A service that is served has been translated to the address of a pod.
const isUnservedService = (world: World, pod: PodFacts, ip: Ip): boolean =>
  !isOwnNode(world, pod, ip) && world.serviceRanges?.some((range) => cidrContains(range, ip)) === true;

const isAnyNode = ({ nodes, bgpAddresses }: World, ip: Ip): boolean =>
  bgpAddresses?.includes(ip) === true || [...(nodes?.values() ?? [])].some((ips) => ips.includes(ip));

const isMetrics = ({ metricsPort }: World, { protocol, port }: Facts): boolean =>
  protocol === 'tcp' && port !== undefined && port === metricsPort;

function isBgp({ bgpPorts = [] }: World, { protocol, port }: Facts): boolean {
  if (port === undefined) return false;
  return protocol === 'tcp' ? [BGP_PORT, ...bgpPorts].includes(port) : protocol === 'udp' && BFD_PORTS.includes(port);
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

// Tiers in order; the first that decides has the last word.
function direction(world: World, which: Direction, subject: PodFacts, facts: Facts): Verdict {
  if (isSubjectUnknown(world, which, subject)) return { kind: 'deny', by: { kind: 'unknown-namespace' } };
  return (
    judgeClusterTier(world, { which, tier: 'Admin', subject }, facts) ??
    judgeNetworkPolicies(world, which, subject, facts) ??
    judgeClusterTier(world, { which, tier: 'Baseline', subject }, facts) ?? {
      kind: 'allow',
      by: { kind: 'not-isolated' },
    }
  );
}

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
