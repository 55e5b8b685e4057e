// A policy's matches in one direction as rules.
import type { Family } from '../../../lib/ip.ts';
import type { Chain, Counter, Rule, Scalar, Statement } from '../../../lib/nftables/ast.ts';
import type { Action, Direction, RuleRef } from '../../../policy/ir.ts';
import type { ChainKey, Match, PolicyChain, PortRange } from '../../../policy/model/types.ts';
import { type LogDenied, logRules } from './denials.ts';
import { policyChainName, ruleCounterNames, setName } from './names.ts';
import { accept, back, countedBy, drop, inSet, is, meta, payload } from './statements.ts';

/** The chain of a policy, to be jumped to. Its `pass` rules are of no use there: see `hasPass`. */
export const renderPolicyChain = (key: ChainKey, chain: PolicyChain, logDenied: LogDenied | undefined): Chain => ({
  kind: 'chain',
  name: policyChainName(key),
  rules: renderMatches(chain, logDenied),
});

/**
 * Whether a policy can pass out of its tier. nf_tables returns one level only, so such a policy's rules stand in the
 * tier's chain itself.
 */
export const hasPass = (chain: PolicyChain): boolean => chain.matches.some(({ action }) => action === 'pass');

/** The rules of a policy. All that one rule of the user became counts together. */
export function renderMatches({ policy, direction, matches }: PolicyChain, logDenied: LogDenied | undefined) {
  const counterOf = ruleCounterNames(policy, direction);
  return matches.flatMap((match): readonly Rule[] => {
    const conditions = [...remoteStatements(match, direction), ...portStatements(match)];
    const { index } = match.ref;
    const counted = countedBy(counterOf(index));
    return [
      ...(match.action === 'deny' ? logRules(conditions, { logDenied, direction, who: `${policy} ${index}` }) : []),
      { statements: [...conditions, counted, VERDICTS[match.action]], comment: commentOf(match.ref) },
    ];
  });
}

/** The counters that the rules of a policy refer to. */
export function renderCounters({ policy, direction, matches }: PolicyChain): readonly Counter[] {
  const counterOf = ruleCounterNames(policy, direction);
  return [...new Set(matches.map(({ ref }) => ref.index))].map((index) => ({
    kind: 'counter',
    name: counterOf(index),
  }));
}

const VERDICTS = { allow: accept, deny: drop, pass: back } as const satisfies Record<Action, Statement>;

function remoteStatements({ family, peer, namedPorts }: Match, direction: Direction): readonly Statement[] {
  if (family === undefined) return [];
  if (peer !== undefined) {
    const address = payload(addressField(family, direction === 'ingress' ? 'saddr' : 'daddr'));
    return [inSet([address], setName(peer.kind, peer.set, family))];
  }
  return namedPorts === undefined ? [is(meta('nfproto'), family === 4 ? 'ipv4' : 'ipv6')] : [];
}

function portStatements({ family, ports, protocols, namedPorts }: Match): readonly Statement[] {
  const statements: Statement[] = [];
  if (ports !== undefined)
    statements.push(is(payload(`${ports.protocol} dport`), oneOrAny(ports.ranges.map(portScalar))));
  if (protocols !== undefined) statements.push(is(meta('l4proto'), oneOrAny(protocols)));
  if (namedPorts !== undefined && family !== undefined) {
    const key = [payload(addressField(family, 'daddr')), meta('l4proto'), payload('th dport')];
    statements.push(inSet(key, setName('ports', namedPorts, family)));
  }
  return statements;
}

const addressField = (family: Family, side: 'saddr' | 'daddr') =>
  family === 4 ? (`ip ${side}` as const) : (`ip6 ${side}` as const);

const portScalar = ({ from, to }: PortRange): Scalar => (from === to ? from : { from, to });

const oneOrAny = (values: readonly Scalar[]): Scalar | { readonly anyOf: readonly Scalar[] } => {
  const [only] = values;
  return only !== undefined && values.length === 1 ? only : { anyOf: values };
};

/** Longest comment of a rule in bytes (libnftnl NFTNL_UDATA_RULE_COMMENT of nft 1.0). */
const COMMENT_LIMIT = 128;

function commentOf({ policy, direction, index }: RuleRef): string {
  const tail = ` ${direction} ${index}`;
  return `${policy.slice(0, COMMENT_LIMIT - tail.length)}${tail}`;
}
