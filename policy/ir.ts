// The one form into which every kind of policy is converted, and from which everything else is computed. Plain data;
// a later kind of policy is a new converter, not a new form.
import type { Brand } from '../lib/brand.ts';
import type { Cidr } from '../lib/cidr.ts';
import type { PodScope } from './pod-scope.ts';
import type { Selector } from './selector.ts';

/** `Kind/namespace/name` or `Kind/name`: the text of the datastore's resource key. */
export type PolicyKey = Brand<string, 'PolicyKey'>;

/** Seen from the pod that the policy selects. */
export type Direction = 'ingress' | 'egress';

/** `pass` skips the rest of the tier. */
export type Action = 'allow' | 'deny' | 'pass';

/**
 * Tiers are evaluated by `order`, lower first; one that has no policy for an endpoint and direction is skipped there.
 * `end` is what happens to a packet that no rule of the tier matched: `deny` drops it, `pass` hands it to the next tier.
 * A packet that passed all tiers is allowed. `hairpin`: whether a pod's connection to itself through a Service is
 * subject to the tier.
 */
export type Tier = {
  readonly name: string;
  readonly order: number;
  readonly end: 'deny' | 'pass';
  readonly hairpin: 'subject' | 'exempt';
};

/** The tier names and orders are those of Calico's built-in tiers, so that its own tiers can be put between them. */
export const TIERS = {
  admin: { name: 'kube-admin', order: 1000, end: 'pass', hairpin: 'subject' },
  networkPolicy: { name: 'default', order: 1_000_000, end: 'deny', hairpin: 'exempt' },
  baseline: { name: 'kube-baseline', order: 10_000_000, end: 'pass', hairpin: 'subject' },
} as const satisfies Record<string, Tier>;

/**
 * A policy. `order` ranks it in its tier, lower first; equal orders rank by key. A direction without a rule list does
 * not exist for the policy: it does not select there. An empty rule list selects and matches nothing.
 */
export type Policy = {
  readonly key: PolicyKey;
  readonly tier: Tier;
  readonly order: number;
  readonly subject: PodScope;
  readonly ingress?: readonly Rule[];
  readonly egress?: readonly Rule[];
};

/** Matches when one of the peers and one of the ports match; an empty list matches nothing. */
export type Rule = {
  readonly ref: RuleRef;
  readonly action: Action;
  readonly peers: 'any' | readonly Peer[];
  readonly ports: 'any' | readonly Port[];
};

/** Where a rule stands in what the user wrote: `index` counts from 0 in the list of that direction. */
export type RuleRef = { readonly policy: PolicyKey; readonly direction: Direction; readonly index: number };

/**
 * The other side: source for ingress, destination for egress. `except` lies inside `cidr`. `nodes` are the addresses of
 * the nodes that the selector selects. `nothing` stands for what could not be understood, `why` is a sentence for
 * people: no packet matches it in a rule to allow; any other rule that has it denies everything.
 */
export type Peer =
  | { readonly kind: 'pods'; readonly scope: PodScope }
  | { readonly kind: 'cidr'; readonly cidr: Cidr; readonly except: readonly Cidr[] }
  | { readonly kind: 'nodes'; readonly selector: Selector }
  | { readonly kind: 'nothing'; readonly why: string };

export type Protocol = 'tcp' | 'udp' | 'sctp';

/**
 * Destination port on the pod. `range` is inclusive, 1 to 65535. `protocol`: all its ports. `named` is what the
 * destination pod declares under that name with that protocol; without `protocol`, with any.
 */
export type Port =
  | { readonly kind: 'range'; readonly protocol: Protocol; readonly from: number; readonly to: number }
  | { readonly kind: 'protocol'; readonly protocol: Protocol }
  | { readonly kind: 'named'; readonly name: string; readonly protocol?: Protocol };

export function policyKey(kind: string, namespace: string | undefined, name: string): PolicyKey {
  return (namespace === undefined ? `${kind}/${name}` : `${kind}/${namespace}/${name}`) as PolicyKey;
}

/** Sentences about the parts of a policy that could not be understood, each with the rule that has it. */
export const policyProblems = ({ key, ingress = [], egress = [] }: Policy): readonly string[] =>
  [...ingress, ...egress].flatMap(({ ref, peers }) =>
    (peers === 'any' ? [] : peers).flatMap((peer) =>
      peer.kind === 'nothing' ? [`Cannot use ${ref.direction} rule ${ref.index} of "${key}": ${peer.why}`] : [],
    ),
  );
