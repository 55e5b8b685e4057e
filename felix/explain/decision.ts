// What decided about a packet in one direction, read off the rules that it went through.
import type { ChainName, Statement } from '../../lib/nftables/ast.ts';
import type { WalkStep } from '../../lib/nftables/walk.ts';
import { describePolicy, describeRuleRef } from '../../policy/explain/describe.ts';
import type { Policy, PolicyKey, RuleRef } from '../../policy/ir.ts';
import { chainKeyOf } from '../../policy/model/profiles.ts';
import { BASE_COUNTERS, ENDPOINT_SETS, policyChainName } from '../render/policy/names.ts';

/**
 * `rule`: that rule. `isolated`: these policies select the pod, and none of their rules matched; none are named when the
 * table was made from others. `not-isolated`: no policy that selects the pod had anything to say. `closed`: nothing is known of the pod. The others are about what
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
  'foreign-error': 'a pod may tell of errors only in connections of its own',
  router: 'a pod is no router of its node',
  bgp: 'pods may not speak BGP with nodes',
  metrics: 'the metrics of agents are open to pods only where `metricsListen` says `openToPods`',
  'node-loopback': 'the loopback addresses of a node are not open to its pods',
  'no-service': 'it is a service address that nobody serves here',
  spoofed: 'the source address is not one of the pod',
  'unknown-interface': 'the interface is not known',
  'no-address':
    'no policy is asked: an end has no address of its own of this family; that of a Pod is its status.podIPs',
  'no-such-port': 'the destination declares no port of that name and protocol',
  base: 'a rule that holds for every pod',
} as const;

/** The decision as a phrase. */
export function describeDecision(decision: Decision): string {
  switch (decision.kind) {
    case 'rule':
      return describeRuleRef(decision.rule);
    case 'isolated':
      if (decision.policies.length === 0) return 'a policy that is not among the objects isolates the pod';
      return `no rule of ${decision.policies.map(describePolicy).join(', ')} allows it`;
    default:
      return SENTENCES[decision.kind];
  }
}

/** Policies, and which of them a chain is of. */
export type PolicyBook = {
  readonly policies: ReadonlyMap<PolicyKey, Policy>;
  readonly chains: ReadonlyMap<ChainName, Policy>;
};

export function createPolicyBook(all: Iterable<Policy>): PolicyBook {
  const policies = new Map<PolicyKey, Policy>();
  const chains = new Map<ChainName, Policy>();
  for (const policy of all) {
    policies.set(policy.key, policy);
    for (const direction of ['ingress', 'egress'] as const) {
      chains.set(policyChainName(chainKeyOf(policy.key, direction)), policy);
    }
  }
  return { policies, chains };
}

/** `steps` are those of one base chain and what it led to; the last one decided. */
export function decisionOf(steps: readonly WalkStep[], book: PolicyBook): Decision {
  const last = steps.at(-1);
  if (last === undefined) return { kind: 'not-a-pod' };
  const rule = ruleOf(last, book);
  if (rule !== undefined) return { kind: 'rule', rule };
  const { statements } = last.rule;
  const drops = statements.some((statement) => statement.kind === 'verdict' && statement.verdict.kind === 'drop');
  if (/^[ft][ie]_/.test(last.chain)) {
    if (!drops) return { kind: looksInto(statements, ENDPOINT_SETS.hairpin) ? 'hairpin' : 'not-isolated' };
    const policies = isolating(steps, book);
    return policies.length === 0 && !steps.some(isJump) ? { kind: 'closed' } : { kind: 'isolated', policies };
  }
  // Of a pod that no policy selects the dispatch itself knows the verdict.
  if (!drops) return { kind: statements.some(({ kind }) => kind === 'vmap') ? 'not-isolated' : 'base' };
  return { kind: statements.map(countedAs).find((kind) => kind !== undefined) ?? 'base' };
}

/** What the base chains count what they drop by. */
const COUNTED: Readonly<Record<keyof typeof BASE_COUNTERS, Plain>> = {
  spoofed: 'spoofed',
  tunnel: 'tunnel',
  error: 'foreign-error',
  router: 'router',
  bgp: 'bgp',
  metrics: 'metrics',
  loopback: 'node-loopback',
  service: 'no-service',
  unknown: 'unknown-interface',
};

function countedAs(statement: Statement): Plain | undefined {
  if (statement.kind !== 'counter-ref') return undefined;
  const found = (Object.keys(COUNTED) as (keyof typeof COUNTED)[]).find(
    (name) => BASE_COUNTERS[name] === statement.counter,
  );
  return found && COUNTED[found];
}

const isJump = ({ rule }: WalkStep): boolean =>
  rule.statements.some((statement) => statement.kind === 'verdict' && statement.verdict.kind === 'jump');

const looksInto = (statements: readonly Statement[], set: string): boolean =>
  statements.some((statement) => statement.kind === 'lookup' && statement.set === set);

/**
 * The policies whose chains, or whose rules, the packet came through, of tiers that end in deny: others isolate nobody.
 */
function isolating(steps: readonly WalkStep[], book: PolicyBook): readonly PolicyKey[] {
  const found = steps.flatMap((step) => {
    const target = step.rule.statements.flatMap((one) =>
      one.kind === 'verdict' && one.verdict.kind === 'jump' ? [book.chains.get(one.verdict.chain)] : [],
    );
    const rule = ruleOf(step, book);
    return rule === undefined ? target : [...target, book.policies.get(rule.policy)];
  });
  return [...new Set(found.flatMap((policy) => (policy?.tier.end === 'deny' ? [policy.key] : [])))];
}

/**
 * The rule of a policy that a rendered rule stands for: its comment says so, and where the comment is too short for the
 * policy's name, the chain does.
 */
export function ruleOf({ chain, rule }: WalkStep, { chains, policies }: PolicyBook): RuleRef | undefined {
  const match = /^(\S+) (ingress|egress) (\d+)$/.exec(rule.comment ?? '');
  if (match === null) return undefined;
  const [, text = '', direction, index] = match;
  const start = text as PolicyKey;
  const named = policies.has(start) ? start : [...policies.keys()].find((key) => key.startsWith(start));
  const policy = chains.get(chain)?.key ?? named ?? start;
  return { policy, direction: direction === 'ingress' ? 'ingress' : 'egress', index: Number(index) };
}
