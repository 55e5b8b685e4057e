// The oracle's reading of NetworkPolicy: the union of what the policies that select a pod allow.
import type { NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../datastore/resources/network-policy.ts';
import { cidrContains } from '../lib/cidr.ts';
import type { Ip } from '../lib/ip.ts';
import { type Direction, policyKey, type RuleRef } from './ir.ts';
import type { Verdict, World } from './oracle.ts';
import { type Facts, isNamedPort, podsAt, remoteOf, selects, selectsNamespace } from './oracle-facts.ts';
import type { PodFacts } from './world.ts';

/** What the NetworkPolicies say about a packet; `undefined`: none selects the pod in this direction. */
export function judgeNetworkPolicies(
  world: World,
  which: Direction,
  subject: PodFacts,
  facts: Facts,
): Verdict | undefined {
  const isolating = world.policies.filter(
    (policy): policy is NetworkPolicy =>
      policy.kind === 'NetworkPolicy' && applies(policy, which) && isSubject(policy, subject),
  );
  if (isolating.length === 0) return undefined;
  if (facts.hairpin) return { kind: 'allow', by: { kind: 'loopback' } };
  for (const policy of isolating) {
    for (const [index, { peers, ports }] of rulesOf(policy, which).entries()) {
      const fits = (peer: NetworkPolicyPeer | undefined): boolean => {
        if (peer !== undefined && !inPeer(world, policy, peer, remoteOf(facts, which))) return false;
        // A port's name is what the destination calls it: of ingress the subject, of egress the peer.
        const among = (pod: PodFacts): boolean =>
          which === 'ingress' ? isSubject(policy, pod) : peer === undefined || isPeer(world, policy, peer, pod);
        return ports.length === 0 || ports.some((port) => inPort(world, port, { facts, among }));
      };
      if (!(peers.length === 0 ? fits(undefined) : peers.some(fits))) continue;
      return { kind: 'allow', by: { kind: 'rule', rule: { policy: keyOf(policy), direction: which, index } } };
    }
  }
  return { kind: 'deny', by: { kind: 'isolated', policies: isolating.map(keyOf) } };
}

const isSubject = ({ metadata, spec }: NetworkPolicy, pod: PodFacts): boolean =>
  metadata.namespace === pod.namespace && selects(spec.podSelector, pod.labels);

const keyOf = ({ metadata }: NetworkPolicy): RuleRef['policy'] =>
  policyKey('NetworkPolicy', metadata.namespace, metadata.name);

function applies({ spec }: NetworkPolicy, which: Direction): boolean {
  const types = spec.policyTypes;
  if (types !== undefined && types.length > 0) return types.includes(which === 'ingress' ? 'Ingress' : 'Egress');
  return which === 'ingress' || (spec.egress !== undefined && spec.egress.length > 0);
}

type Target = Parameters<typeof isNamedPort>[2];
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
  return podsAt(world, remote).some((pod) => isPeer(world, policy, peer, pod));
}

// To an ipBlock all pods are alike.
function isPeer(world: World, policy: NetworkPolicy, peer: NetworkPolicyPeer, pod: PodFacts): boolean {
  const { ipBlock, namespaceSelector, podSelector } = peer;
  if (ipBlock !== undefined) return true;
  if (namespaceSelector === undefined && podSelector === undefined) return false;
  if (podSelector !== undefined && !selects(podSelector, pod.labels)) return false;
  if (namespaceSelector === undefined) return pod.namespace === policy.metadata.namespace;
  return selectsNamespace(world, namespaceSelector, pod.namespace);
}

function inPort(world: World, { protocol = 'TCP', port, endPort }: NetworkPolicyPort, target: Target): boolean {
  const { facts } = target;
  if (facts.protocol !== protocol.toLowerCase()) return false;
  if (port === undefined) return true;
  if (facts.port === undefined) return false;
  if (typeof port === 'number') return port <= facts.port && facts.port <= (endPort ?? port);
  return isNamedPort(world, port, target);
}
