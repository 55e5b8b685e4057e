// The IR in words: policies, rules, peers and ports as a person would name them.
import type { Peer, Policy, PolicyKey, Port, Rule, RuleRef } from '../ir.ts';
import type { NamespaceScope, PodScope } from '../pod-scope.ts';
import type { Requirement, Selector } from '../selector.ts';

/** `NetworkPolicy shop/web`. */
export const describePolicy = (key: PolicyKey): string => key.replace('/', ' ');

/** `NetworkPolicy shop/web ingress rule 0`. */
export const describeRuleRef = ({ policy, direction, index }: RuleRef): string =>
  `${describePolicy(policy)} ${direction} rule ${index}`;

/** Whom a policy selects, such as `all pods of namespace shop`. */
export const describeSubject = ({ subject }: Policy): string => describeScope(subject);

/** What a rule says, such as `allow from pods app=web of namespace shop on tcp 80`. */
export function describeRule({ ref, action, peers, ports }: Rule): string {
  const side = ref.direction === 'ingress' ? 'from' : 'to';
  const whom = peers === 'any' ? 'anybody' : orNothing(peers.map(describePeer));
  const where = ports === 'any' ? '' : ` on ${orNothing(ports.map(describePort))}`;
  return `${action} ${side} ${whom}${where}`;
}

const orNothing = (texts: readonly string[]): string => (texts.length === 0 ? 'nothing' : texts.join(' or '));

function describePeer(peer: Peer): string {
  switch (peer.kind) {
    case 'pods':
      return describeScope(peer.scope);
    case 'cidr':
      return peer.except.length === 0 ? peer.cidr : `${peer.cidr} except ${peer.except.join(', ')}`;
    case 'nodes':
      return selectsAll(peer.selector) ? 'all nodes' : `nodes ${describeSelector(peer.selector)}`;
    case 'nothing':
      return `nothing (${peer.why})`;
    default:
      return peer satisfies never;
  }
}

function describePort(port: Port): string {
  switch (port.kind) {
    case 'range':
      return `${port.protocol} ${port.from === port.to ? port.from : `${port.from}-${port.to}`}`;
    case 'protocol':
      return port.protocol;
    case 'named':
      return port.protocol === undefined ? `port "${port.name}"` : `${port.protocol} port "${port.name}"`;
    default:
      return port satisfies never;
  }
}

function describeScope({ namespaces, pods }: PodScope): string {
  const which = selectsAll(pods) ? 'all pods' : `pods ${describeSelector(pods)}`;
  return `${which} of ${describeNamespaces(namespaces)}`;
}

function describeNamespaces(scope: NamespaceScope): string {
  if (scope.kind === 'name') return `namespace ${scope.name}`;
  if (selectsAll(scope.selector)) return 'all namespaces';
  return `namespaces ${describeSelector(scope.selector)}`;
}

const selectsAll = ({ requirements }: Selector): boolean => requirements.length === 0;

/** As `kubectl get -l` takes it. */
const describeSelector = ({ requirements }: Selector): string => requirements.map(describeRequirement).join(',');

function describeRequirement(requirement: Requirement): string {
  const { key } = requirement;
  switch (requirement.operator) {
    case 'in':
      return requirement.values.length === 1
        ? `${key}=${requirement.values.join('')}`
        : `${key} in (${requirement.values.join(',')})`;
    case 'not-in':
      return requirement.values.length === 1
        ? `${key}!=${requirement.values.join('')}`
        : `${key} notin (${requirement.values.join(',')})`;
    case 'exists':
      return key;
    case 'absent':
      return `!${key}`;
    default:
      return requirement satisfies never;
  }
}
