// Rules to matches: peers become references to sets, ports are merged per protocol, families are spelled out where a
// set is involved. There is never a product of peers and single ports.
import { cidrFamily, cidrRange, mergeRanges, subtractRanges } from '../../lib/cidr.ts';
import { type Family, familyBits, ipFromBigInt } from '../../lib/ip.ts';
import type { Direction, Peer, Policy, Port, Protocol, Rule } from '../ir.ts';
import { ALL_PODS, type PodScope } from '../pod-scope.ts';
import { type SetRef, setKeyOf } from './set-ref.ts';
import type { Match, PolicyChain, PortRange, SetKey } from './types.ts';

/** A chain, and the sets that it refers to; one that several rules refer to is there several times. */
export type LoweredChain = {
  readonly chain: PolicyChain;
  readonly sets: readonly { readonly key: SetKey; readonly ref: SetRef }[];
};

/** Lowers one direction of a policy; a direction that the policy does not have gives no matches. */
export function lowerPolicy(policy: Policy, direction: Direction): LoweredChain {
  const rules = policy[direction];
  if (rules === undefined || rules.length === 0) {
    return { chain: { policy: policy.key, direction, matches: NO_MATCHES }, sets: NO_SETS };
  }
  const sets: LoweredChain['sets'][number][] = [];
  const refer: Refer = (ref) => {
    const key = setKeyOf(ref);
    sets.push({ key, ref });
    return key;
  };
  const matches = rules.flatMap((rule) => lowerRule(rule, policy.subject, refer));
  return { chain: { policy: policy.key, direction, matches }, sets };
}

const NO_MATCHES: readonly Match[] = [];
const NO_SETS: LoweredChain['sets'] = [];

type Refer = (ref: SetRef) => SetKey;
type Condition = Omit<Match, 'ref' | 'action'>;

const FAMILIES: readonly Family[] = [4, 6];

/** In the order of their numbers, which is the order in which the kernel lists them. */
const PROTOCOLS: readonly Protocol[] = ['tcp', 'udp', 'sctp'];

function lowerRule(rule: Rule, subject: PodScope, refer: Refer): readonly Match[] {
  const { action, peers, ports: wanted } = closed(rule);
  const ports = portConditions(wanted);
  const remote = ports.length === 0 ? [] : peerConditions(peers, refer);
  const conditions = [
    ...remote.flatMap((peer) => ports.map((port) => ({ ...peer, ...port }))),
    ...namedConditions({ ...rule, peers, ports: wanted }, subject, refer),
  ];
  return conditions.map((condition) => ({ ref: rule.ref, action, ...condition }));
}

// A peer that nobody understands matches nothing where it would let packets through; where it would stop them or hand
// them on, it stops them all.
function closed(rule: Rule): Pick<Rule, 'action' | 'peers' | 'ports'> {
  const { action, peers } = rule;
  if (action === 'allow' || peers === 'any' || !peers.some(({ kind }) => kind === 'nothing')) return rule;
  return { action: 'deny', peers: 'any', ports: 'any' };
}

function peerConditions(peers: Rule['peers'], refer: Refer): readonly Condition[] {
  if (peers === 'any') return [{}];
  const pods = peers.flatMap((peer) => {
    if (peer.kind !== 'pods' && peer.kind !== 'nodes') return [];
    const set = refer(
      peer.kind === 'pods' ? { kind: 'addresses', scope: peer.scope } : { kind: 'nodes', selector: peer.selector },
    );
    return FAMILIES.map((family): Condition => ({ family, peer: { kind: 'addresses', set } }));
  });
  return [...pods, ...cidrConditions(peers, refer)];
}

// All blocks of a rule and family make one set: they are alternatives, and overlaps vanish.
function cidrConditions(peers: readonly Peer[], refer: Refer): readonly Condition[] {
  return FAMILIES.flatMap((family): readonly Condition[] => {
    const ranges = mergeRanges(
      peers.flatMap((peer) =>
        peer.kind === 'cidr' && cidrFamily(peer.cidr) === family
          ? subtractRanges(cidrRange(peer.cidr), peer.except.map(cidrRange))
          : [],
      ),
    );
    const [first] = ranges;
    if (first === undefined) return [];
    if (first.last - first.first + 1n === 1n << BigInt(familyBits(family))) return [{ family }];
    const members = ranges.map((range) => ({
      first: ipFromBigInt(range.first, family),
      last: ipFromBigInt(range.last, family),
    }));
    return [{ family, peer: { kind: 'ranges', set: refer({ kind: 'ranges', ranges: members }) } }];
  });
}

function portConditions(ports: Rule['ports']): readonly Condition[] {
  if (ports === 'any') return [{}];
  const whole = PROTOCOLS.filter((one) => ports.some(({ kind, protocol }) => kind === 'protocol' && protocol === one));
  const conditions: Condition[] = whole.length > 0 ? [{ protocols: whole }] : [];
  for (const protocol of PROTOCOLS) {
    const ranges = whole.includes(protocol) ? [] : rangesOf(ports, protocol);
    if (ranges.length > 0) conditions.push({ ports: { protocol, ranges } });
  }
  return conditions;
}

function rangesOf(ports: readonly Port[], protocol: Protocol): readonly PortRange[] {
  const merged: PortRange[] = [];
  const ranges = ports.flatMap((port) => (port.kind === 'range' && port.protocol === protocol ? [port] : []));
  for (const { from, to } of ranges.sort((a, b) => a.from - b.from || a.to - b.to)) {
    const last = merged.at(-1);
    if (last !== undefined && from <= last.to + 1)
      merged[merged.length - 1] = { from: last.from, to: Math.max(last.to, to) };
    else merged.push({ from, to });
  }
  return merged;
}

// A name means what the destination declares: for ingress the subject, for egress the peer, or any pod at all.
function namedConditions(rule: Rule, subject: PodScope, refer: Refer): readonly Condition[] {
  if (rule.ports === 'any') return [];
  return rule.ports.flatMap((port) => {
    if (port.kind !== 'named') return [];
    const named = (scope: PodScope, condition: Condition): readonly Condition[] => {
      const { name, protocol } = port;
      const namedPorts = refer({ kind: 'ports', scope, name, ...(protocol !== undefined && { protocol }) });
      const families = condition.family === undefined ? FAMILIES : [condition.family];
      return families.map((family) => ({ ...condition, family, namedPorts }));
    };
    if (rule.ref.direction === 'ingress') {
      return peerConditions(rule.peers, refer).flatMap((condition) => named(subject, condition));
    }
    if (rule.peers === 'any') return named(ALL_PODS, {});
    const pods = rule.peers.flatMap((peer) => (peer.kind === 'pods' ? named(peer.scope, {}) : []));
    return [...pods, ...cidrConditions(rule.peers, refer).flatMap((condition) => named(ALL_PODS, condition))];
  });
}
