// policy.networking.k8s.io/v1alpha2 ClusterNetworkPolicy to the IR. Total: a rule with a peer or protocol that cannot be
// understood is closed as the API asks for: one to accept matches nothing, any other denies everything.
import { whyUnreadable } from '../../datastore/resources/closed-part.ts';
import type {
  ClusterNetworkPolicy,
  ClusterNetworkPolicyEgressPeer,
  ClusterNetworkPolicyProtocol,
} from '../../datastore/resources/cluster-network-policy.ts';
import { type Action, type Direction, type Peer, type Policy, type Port, policyKey, type Rule, TIERS } from '../ir.ts';
import type { PodScope } from '../pod-scope.ts';
import { ALL, type Selector, selectorOf } from '../selector.ts';

/** The policy in the IR. A direction without rules does not exist for it. */
export function convertClusterNetworkPolicy({ metadata, spec }: ClusterNetworkPolicy): Policy {
  const key = policyKey('ClusterNetworkPolicy', undefined, metadata.name);
  const rules = (direction: Direction, list: readonly PlainRule[]): readonly Rule[] =>
    list.map((rule, index) => ({
      ref: { policy: key, direction, index },
      action: ACTIONS[rule.action],
      ...conditions(rule, direction),
    }));
  const ingress = (spec.ingress ?? []).map(({ from, ...rule }) => ({ ...rule, peers: from }));
  const egress = (spec.egress ?? []).map(({ to, ...rule }) => ({ ...rule, peers: to }));
  return {
    key,
    tier: spec.tier === 'Admin' ? TIERS.admin : TIERS.baseline,
    order: spec.priority,
    subject: scopeOf(spec.subject) ?? NOBODY,
    ...(ingress.length > 0 && { ingress: rules('ingress', ingress) }),
    ...(egress.length > 0 && { egress: rules('egress', egress) }),
  };
}

type PlainRule = {
  readonly action: keyof typeof ACTIONS;
  readonly peers: readonly ClusterNetworkPolicyEgressPeer[];
  readonly protocols?: readonly ClusterNetworkPolicyProtocol[];
};

const ACTIONS = { Accept: 'allow', Deny: 'deny', Pass: 'pass' } as const satisfies Record<string, Action>;

/** A scope without pods; the schema lets no subject through that would need it. */
const NOBODY: PodScope = { namespaces: { kind: 'name', name: '' }, pods: ALL };

// What cannot be understood takes the whole rule with it, not only the part that has it.
function conditions({ peers, protocols }: PlainRule, direction: Direction): Pick<Rule, 'peers' | 'ports'> {
  const remote = peers.flatMap((peer) => convertPeer(peer, direction));
  const ports = protocols?.flatMap((protocol) => convertProtocol(protocol) ?? []);
  const unknown = remote.filter(({ kind }) => kind === 'nothing');
  if (protocols !== undefined && ports?.length !== protocols.length) {
    unknown.push({ kind: 'nothing', why: 'a protocol is none of tcp, udp, sctp and destinationNamedPort' });
  }
  return unknown.length > 0 ? { peers: unknown, ports: 'any' } : { peers: remote, ports: ports ?? 'any' };
}

function convertPeer(peer: ClusterNetworkPolicyEgressPeer, direction: Direction): readonly Peer[] {
  const scope = scopeOf(peer);
  if (scope !== undefined) return [{ kind: 'pods', scope }];
  if (direction === 'egress') {
    if (peer.nodes !== undefined) return [{ kind: 'nodes', selector: selectorOf(peer.nodes) }];
    if (peer.networks !== undefined) return peer.networks.map((cidr) => ({ kind: 'cidr', cidr, except: [] }));
    if (peer.domainNames !== undefined) {
      return [{ kind: 'nothing', why: 'domainNames are not supported, expected networks' }];
    }
  }
  return [{ kind: 'nothing', why: whyUnreadable(peer) ?? `the peer is none that ${direction} rules can have` }];
}

function scopeOf({ namespaces, pods }: Pick<ClusterNetworkPolicyEgressPeer, 'namespaces' | 'pods'>) {
  if (namespaces !== undefined) return scope(selectorOf(namespaces), ALL);
  if (pods === undefined) return undefined;
  return scope(selectorOf(pods.namespaceSelector), selectorOf(pods.podSelector));
}

const scope = (namespaces: Selector, pods: Selector): PodScope => ({
  namespaces: { kind: 'selector', selector: namespaces },
  pods,
});

// Undefined: not to be understood.
function convertProtocol(match: ClusterNetworkPolicyProtocol): Port | undefined {
  if (match.destinationNamedPort !== undefined) return { kind: 'named', name: match.destinationNamedPort };
  for (const protocol of ['tcp', 'udp', 'sctp'] as const) {
    const transport = match[protocol];
    if (transport === undefined) continue;
    const { destinationPort } = transport;
    if (destinationPort === undefined) {
      return Object.keys(transport).length === 0 ? { kind: 'protocol', protocol } : undefined;
    }
    const { number, range } = destinationPort;
    if (number !== undefined) return { kind: 'range', protocol, from: number, to: number };
    return range && { kind: 'range', protocol, from: range.start, to: range.end };
  }
  return undefined;
}
