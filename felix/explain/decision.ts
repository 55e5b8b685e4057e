// What decided about a packet in one direction, read off the rules that it went through.
import type { ChainName, Statement } from '../../lib/nftables/ast.ts';
import type { WalkStep } from '../../lib/nftables/walk.ts';
import { describePolicy, describeRuleRef } from '../../policy/explain/describe.ts';
import type { Direction, PolicyKey, RuleRef } from '../../policy/ir.ts';
import { chainKeyOf } from '../../policy/model/profiles.ts';
import { ENDPOINT_SETS, policyChainName } from '../render/policy/names.ts';

/**
 * `rule`: that rule. `isolated`: these policies select the pod, and none of their rules matched. `not-isolated`: no
 * policy that selects the pod had anything to say. `closed`: nothing is known of the pod. The others are about what
 * policies have no say in.
 */
export type Decision =
  | { readonly kind: 'rule'; readonly rule: RuleRef }
  | { readonly kind: 'isolated'; readonly policies: readonly PolicyKey[] }
  | { readonly kind: Plain };

type Plain = keyof typeof SENTENCES;

const SENTENCES = {
  'not-isolated': 'no policy decides about the pod in this direction',
  closed: 'nothing is known of the pod, so it is cut off',
  'not-a-pod': 'the end is not a pod, so no policy selects it',
  'own-node': 'a node may always reach its own pods',
  loopback: 'the packet does not leave the pod',
  hairpin: 'a pod is not cut off from itself behind a Service',
  tunnel: 'pods may not send tunnels to nodes, which would unpack them',
  spoofed: 'the source address is not one of the pod',
  'unknown-interface': 'the interface is not known',
  'no-address': 'an end has no address of its own of this family',
  'no-such-port': 'the destination declares no port of that name and protocol',
  base: 'a rule that holds for every pod',
} as const;

/** The decision as a phrase. */
export function describeDecision(decision: Decision): string {
  switch (decision.kind) {
    case 'rule':
      return describeRuleRef(decision.rule);
    case 'isolated':
      return `no rule of ${decision.policies.map(describePolicy).join(', ')} allows it`;
    default:
      return SENTENCES[decision.kind];
  }
}

/** Policies by the names of their chains, for `decisionOf`. */
export type ChainLegend = ReadonlyMap<ChainName, { readonly policy: PolicyKey; readonly direction: Direction }>;

export function chainLegend(policies: Iterable<PolicyKey>): ChainLegend {
  const legend = new Map<ChainName, { readonly policy: PolicyKey; readonly direction: Direction }>();
  for (const policy of policies) {
    for (const direction of ['ingress', 'egress'] as const) {
      legend.set(policyChainName(chainKeyOf(policy, direction)), { policy, direction });
    }
  }
  return legend;
}

/** `steps` are those of one base chain and what it led to; the last one decided. */
export function decisionOf(steps: readonly WalkStep[], legend: ChainLegend, known: Iterable<PolicyKey>): Decision {
  const last = steps.at(-1);
  if (last === undefined) return { kind: 'not-a-pod' };
  const rule = ruleOf(last, legend, known);
  if (rule !== undefined) return { kind: 'rule', rule };
  const { statements } = last.rule;
  const drops = statements.some((statement) => statement.kind === 'verdict' && statement.verdict.kind === 'drop');
  if (/^[ft][ie]_/.test(last.chain)) {
    if (!drops) return { kind: looksInto(statements, ENDPOINT_SETS.hairpin) ? 'hairpin' : 'not-isolated' };
    const policies = policiesOn(steps, legend, known);
    return policies.length === 0 ? { kind: 'closed' } : { kind: 'isolated', policies };
  }
  if (!drops) return { kind: statements.some(isInterfaceTest) ? 'not-a-pod' : 'base' };
  if (last.chain === 'raw_pre') return { kind: 'spoofed' };
  return { kind: statements.some(({ kind }) => kind === 'match') ? 'tunnel' : 'unknown-interface' };
}

const looksInto = (statements: readonly Statement[], set: string): boolean =>
  statements.some((statement) => statement.kind === 'lookup' && statement.set === set);

const isInterfaceTest = (statement: Statement): boolean =>
  statement.kind === 'match' && statement.left.kind === 'meta' && statement.left.key.endsWith('ifname');

/** The policies whose chains the packet came through, or whose rules stand in the chains that it came through. */
function policiesOn(steps: readonly WalkStep[], legend: ChainLegend, known: Iterable<PolicyKey>): readonly PolicyKey[] {
  const policies = new Set<PolicyKey>();
  for (const step of steps) {
    for (const statement of step.rule.statements) {
      const target = statement.kind === 'verdict' && statement.verdict.kind === 'jump' ? statement.verdict.chain : '';
      const policy = legend.get(target as ChainName)?.policy;
      if (policy !== undefined) policies.add(policy);
    }
    const rule = ruleOf(step, legend, known);
    if (rule !== undefined) policies.add(rule.policy);
  }
  return [...policies];
}

/**
 * The rule of a policy that a rendered rule stands for: its comment says so, and where the comment is too short for the
 * policy's name, the chain does.
 */
export function ruleOf(
  { chain, rule }: WalkStep,
  legend: ChainLegend,
  known: Iterable<PolicyKey>,
): RuleRef | undefined {
  const match = /^(\S+) (ingress|egress) (\d+)$/.exec(rule.comment ?? '');
  if (match === null) return undefined;
  const [, text = '', direction, index] = match;
  const start = text as PolicyKey;
  const policy = legend.get(chain)?.policy ?? [...known].find((key) => key === start || key.startsWith(start)) ?? start;
  return { policy, direction: direction === 'ingress' ? 'ingress' : 'egress', index: Number(index) };
}
