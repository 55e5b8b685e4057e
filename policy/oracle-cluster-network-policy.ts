// The oracle's reading of ClusterNetworkPolicy: in each tier the first rule that matches decides.
import type {
  ClusterNetworkPolicy,
  ClusterNetworkPolicyEgressPeer,
  ClusterNetworkPolicyProtocol,
} from '../datastore/resources/cluster-network-policy.ts';
import { cidrContains } from '../lib/cidr.ts';
import { type Direction, policyKey } from './ir.ts';
import type { Verdict, World } from './oracle.ts';
import { type Facts, isEmpty, isNamedPort, podsAt, remoteOf, selects, selectsNamespace } from './oracle-facts.ts';
import type { PodFacts } from './world.ts';

/** What a tier says about a packet; `undefined`: the next tier decides. */
export function judgeClusterTier(
  world: World,
  side: { readonly which: Direction; readonly tier: 'Admin' | 'Baseline'; readonly subject: PodFacts },
  facts: Facts,
): Verdict | undefined {
  const { which, tier, subject } = side;
  const policies = clusterPolicies(world)
    .filter(({ spec }) => spec.tier === tier && isSubject(world, spec.subject, subject))
    .sort((a, b) => a.spec.priority - b.spec.priority || (a.metadata.name < b.metadata.name ? -1 : 1));
  for (const { metadata, spec } of policies) {
    for (const [index, rule] of rulesOf(spec, which).entries()) {
      const outcome = ruleOutcome(world, { which, rule, subject: spec.subject, facts });
      if (outcome === 'no match') continue;
      if (outcome === 'Pass') return undefined;
      const ref = { policy: policyKey('ClusterNetworkPolicy', undefined, metadata.name), direction: which, index };
      const by = { kind: 'rule', rule: ref } as const;
      return outcome === 'Accept' ? { kind: 'allow', by } : { kind: 'deny', by };
    }
  }
  return undefined;
}

/** Whether some policy might select the pod, if only the labels of its namespace were known. */
export function isSubjectUnknown(world: World, which: Direction, pod: PodFacts): boolean {
  if (world.namespaces.has(pod.namespace)) return false;
  return clusterPolicies(world).some(({ spec }) => {
    const namespaces = spec.subject.namespaces ?? spec.subject.pods?.namespaceSelector ?? {};
    const pods = spec.subject.pods?.podSelector ?? {};
    return !isEmpty(namespaces) && selects(pods, pod.labels) && rulesOf(spec, which).length > 0;
  });
}

const clusterPolicies = ({ policies }: World): readonly ClusterNetworkPolicy[] =>
  policies.filter((policy): policy is ClusterNetworkPolicy => policy.kind === 'ClusterNetworkPolicy');

type Spec = ClusterNetworkPolicy['spec'];
type PlainRule = {
  readonly action: 'Accept' | 'Deny' | 'Pass';
  readonly peers: readonly ClusterNetworkPolicyEgressPeer[];
  readonly protocols?: readonly ClusterNetworkPolicyProtocol[];
};

function rulesOf(spec: Spec, which: Direction): readonly PlainRule[] {
  if (which === 'egress') return (spec.egress ?? []).map(({ to, ...rule }) => ({ ...rule, peers: to }));
  return (spec.ingress ?? []).map(({ from, ...rule }) => ({ ...rule, peers: from }));
}

function isSubject(world: World, { namespaces, pods }: Spec['subject'], pod: PodFacts): boolean {
  if (namespaces !== undefined) return selectsNamespace(world, namespaces, pod.namespace);
  if (pods === undefined) return false;
  return selectsNamespace(world, pods.namespaceSelector, pod.namespace) && selects(pods.podSelector, pod.labels);
}

type Target = Parameters<typeof isNamedPort>[2];

function ruleOutcome(
  world: World,
  {
    which,
    rule,
    subject,
    facts,
  }: { readonly which: Direction; readonly rule: PlainRule; readonly subject: Spec['subject']; readonly facts: Facts },
): PlainRule['action'] | 'no match' {
  const { action, peers, protocols = [] } = rule;
  const unknown = !peers.every((peer) => isKnownPeer(peer, which)) || !protocols.every(isKnownProtocol);
  if (unknown) return action === 'Accept' ? 'no match' : 'Deny';
  const fits = (peer: ClusterNetworkPolicyEgressPeer): boolean => {
    if (!inPeer(world, peer, facts, which)) return false;
    // A port's name is what the destination calls it: of ingress the subject, of egress the peer.
    const among = (pod: PodFacts): boolean => isSubject(world, which === 'ingress' ? subject : peer, pod);
    return protocols.length === 0 || protocols.some((one) => inProtocol(world, one, { facts, among }));
  };
  return peers.some(fits) ? action : 'no match';
}

function isKnownPeer({ namespaces, pods, nodes, networks }: ClusterNetworkPolicyEgressPeer, which: Direction): boolean {
  return (namespaces ?? pods ?? (which === 'egress' ? (nodes ?? networks) : undefined)) !== undefined;
}

function isKnownProtocol({ tcp, udp, sctp, destinationNamedPort }: ClusterNetworkPolicyProtocol): boolean {
  if (destinationNamedPort !== undefined) return true;
  const transport = tcp ?? udp ?? sctp;
  if (transport === undefined) return false;
  const { destinationPort } = transport;
  if (destinationPort === undefined) return Object.keys(transport).length === 0;
  return destinationPort.number !== undefined || destinationPort.range !== undefined;
}

function inPeer(world: World, peer: ClusterNetworkPolicyEgressPeer, facts: Facts, which: Direction): boolean {
  const remote = remoteOf(facts, which);
  const { networks, nodes } = peer;
  if (networks !== undefined) return networks.some((cidr) => cidrContains(cidr, remote));
  if (nodes !== undefined) {
    return [...(world.nodes ?? [])].some(
      ([name, ips]) => ips.includes(remote) && selects(nodes, world.nodeLabels?.get(name) ?? {}),
    );
  }
  return podsAt(world, remote).some((pod) => isSubject(world, peer, pod));
}

function inProtocol(world: World, protocol: ClusterNetworkPolicyProtocol, target: Target): boolean {
  const { facts } = target;
  const { destinationNamedPort } = protocol;
  if (destinationNamedPort !== undefined) return isNamedPort(world, destinationNamedPort, target);
  const transport = facts.protocol === 'icmp' ? undefined : protocol[facts.protocol];
  if (transport === undefined) return false;
  const { number, range } = transport.destinationPort ?? {};
  if (facts.port === undefined) return transport.destinationPort === undefined;
  if (number !== undefined) return facts.port === number;
  return range === undefined || (range.start <= facts.port && facts.port <= range.end);
}
