// One direction of a verdict as plain JSON: what decided, and every rule that applied on the way, in words and in the
// language of nft(8).
import type { CounterName } from '../../lib/nftables/ast.ts';
import { printRule } from '../../lib/nftables/print.ts';
import type { WalkStep } from '../../lib/nftables/walk.ts';
import { describePolicy, describeRule, describeRuleRef, describeSubject } from '../../policy/explain/describe.ts';
import { type Direction, type Policy, type PolicyKey, policyProblems, type RuleRef } from '../../policy/ir.ts';
import { CLOSED_PORTS } from '../render/policy/names.ts';
import { createPolicyBook, type Decision, describeDecision, type PolicyBook, ruleOf } from './decision.ts';
import type { Finding } from './judge.ts';

/** `counter` is the named counter of the rule; `packets` and `bytes` are what it counts now, where that is known. */
export type StepReport = {
  readonly chain: string;
  readonly index: number;
  readonly rule: string;
  readonly about: string;
  readonly counter?: CounterName;
  readonly packets?: number;
  readonly bytes?: number;
};

/**
 * `reason` is the kind of decision, `by` the same in words. `policy` and `rule` say which rule decided, the rule by its
 * place in the policy's list; `says` is that rule in words. `policies` are those that isolate the pod. `problems` are
 * sentences about what in those policies is not in force as written; absent: nothing.
 */
export type DirectionReport = {
  readonly verdict: 'allow' | 'deny';
  readonly reason: Decision['kind'];
  readonly by: string;
  readonly policy?: string;
  readonly rule?: number;
  readonly says?: string;
  readonly policies?: readonly string[];
  readonly problems?: readonly string[];
  readonly path: readonly StepReport[];
  readonly oracle: 'allow' | 'deny';
};

export function directionReport(options: {
  readonly direction: Direction;
  readonly finding: Finding;
  readonly opinion: 'allow' | 'deny';
  readonly policies: ReadonlyMap<PolicyKey, Policy>;
}): DirectionReport {
  const { direction, finding, opinion, policies } = options;
  const { allowed, decision, path } = finding;
  const book = createPolicyBook(policies.values());
  const problems = deciding(decision).flatMap((key) => problemsIn(policies.get(key), direction));
  return {
    verdict: allowed ? 'allow' : 'deny',
    reason: decision.kind,
    by: describeDecision(decision),
    ...(decision.kind === 'rule' && ruleFields(decision.rule, policies)),
    ...(decision.kind === 'isolated' && { policies: decision.policies.map(describePolicy) }),
    ...(problems.length > 0 && { problems }),
    path: path.map((step) => stepReport(step, book)),
    oracle: opinion,
  };
}

/** For what no rule was asked about. */
export const plainReport = (kind: 'no-address' | 'no-such-port'): DirectionReport => ({
  verdict: 'deny',
  reason: kind,
  by: describeDecision({ kind }),
  path: [],
  oracle: 'deny',
});

function deciding(decision: Decision): readonly PolicyKey[] {
  if (decision.kind === 'rule') return [decision.rule.policy];
  return decision.kind === 'isolated' ? decision.policies : [];
}

function problemsIn(policy: Policy | undefined, direction: Direction): readonly string[] {
  if (policy === undefined) return [];
  const { [direction]: rules = [], key, tier, order, subject } = policy;
  return policyProblems({ key, tier, order, subject, [direction]: rules });
}

function ruleFields(ref: RuleRef, policies: ReadonlyMap<PolicyKey, Policy>) {
  const rule = policies.get(ref.policy)?.[ref.direction]?.find(({ ref: own }) => own.index === ref.index);
  return {
    policy: describePolicy(ref.policy),
    rule: ref.index,
    ...(rule !== undefined && { says: describeRule(rule) }),
  };
}

function stepReport(step: WalkStep, book: PolicyBook): StepReport {
  const counter = step.rule.statements.find((statement) => statement.kind === 'counter-ref')?.counter;
  return {
    chain: step.chain,
    index: step.index,
    rule: printRule(step.rule),
    about: aboutStep(step, book),
    ...(counter !== undefined && { counter }),
  };
}

const isProfile = ({ chain }: WalkStep): boolean => /^[ft][ie]_/.test(chain);

function aboutStep(step: WalkStep, book: PolicyBook): string {
  const ref = ruleOf(step, book);
  if (ref !== undefined) {
    const rule = book.policies.get(ref.policy)?.[ref.direction]?.find(({ ref: own }) => own.index === ref.index);
    return rule === undefined ? describeRuleRef(ref) : `${describeRuleRef(ref)}: ${describeRule(rule)}`;
  }
  for (const statement of step.rule.statements) {
    if (statement.kind === 'vmap' && statement.map !== CLOSED_PORTS) {
      return 'what holds for all pods that have the same policies';
    }
    if (statement.kind !== 'verdict') continue;
    const { verdict } = statement;
    if (verdict.kind === 'jump' || verdict.kind === 'goto') {
      const policy = book.chains.get(verdict.chain);
      if (policy !== undefined) return `${describePolicy(policy.key)} selects ${describeSubject(policy)}`;
      return isProfile(step) ? 'the rules of a tier' : 'the connection is to be judged';
    }
    const place = isProfile(step) ? 'end of the pod’s policies' : 'a rule for every pod';
    return `${place}: ${verdict.kind}`;
  }
  return 'a rule for every pod';
}
