// What the model keeps of a pod, a namespace, an endpoint and a policy, each in one place. A record is found once, by its
// key, and then handed from step to step: in a table of a hundred thousand entries looking up costs more than most of
// what is done with the answer. `dirty` and `touched` say that a record stands in the list of what the next drain reads.
import type { Ip } from '../../lib/ip.ts';
import type { IfName } from '../../lib/linux/if-name.ts';
import type { Direction, Policy, PolicyKey } from '../ir.ts';
import type { PodScope } from '../pod-scope.ts';
import type { Labels } from '../selector.ts';
import type { PodFacts, PodKey } from '../world.ts';
import type { MemberSet } from './member-set.ts';
import type { SetRef } from './set-ref.ts';
import type {
  ChainKey,
  Endpoint,
  EndpointPolicy,
  PolicyChain,
  PortMember,
  Profile,
  ProfileKey,
  SetKey,
} from './types.ts';

/** There as long as the namespace, or a pod or endpoint in it, is known. */
export type NamespaceRecord = {
  readonly name: string;
  /** As they were given; absent: the namespace is not known. */
  written: Labels | undefined;
  /** As selectors see them. */
  labels: Labels | undefined;
  readonly pods: Set<PodRecord>;
  /** Those of this node; absent: none. */
  endpoints: Set<EndpointRecord> | undefined;
};

/** There as long as the pod, or an endpoint of it, is known. */
export type PodRecord = {
  readonly key: PodKey;
  readonly namespace: NamespaceRecord;
  facts: PodFacts | undefined;
  endpoints: readonly EndpointRecord[];
  /** A pod that went takes nothing away from those that stay; one that changed may. */
  dirty: 'changed' | 'gone' | undefined;
  /** What it brought into the sets of `scopes` when these were last refreshed. */
  share: PodShare | undefined;
  scopes: ScopeRecord[];
};

export type PodShare = Pick<PodFacts, 'ips' | 'ports'>;

/** A scope that sets look at, however many. `text` is its key. */
export type ScopeRecord = {
  readonly scope: PodScope;
  readonly text: string;
  readonly pods: Set<PodRecord>;
  readonly views: PodSetView[];
};

/** A set of the addresses, or of the ports of one name, of the pods of a scope. */
export type PodSetView = {
  readonly key: SetKey;
  readonly scope: ScopeRecord;
  readonly members:
    | { readonly kind: 'addresses'; readonly set: MemberSet<Ip> }
    | { readonly kind: 'ports'; readonly ref: Extract<SetRef, { kind: 'ports' }>; readonly set: MemberSet<PortMember> };
  touched: boolean;
  /** `fresh`: not drained yet. */
  state: 'fresh' | 'open' | 'closed';
};

export type EndpointRecord = {
  readonly ifName: IfName;
  /** Absent: it goes with the next drain. */
  endpoint: Endpoint | undefined;
  pod: PodRecord;
  /** As last drained. */
  reported: ReportedEndpoint | undefined;
  dirty: boolean;
};

export type ReportedEndpoint = { readonly value: EndpointPolicy; readonly profiles: ProfilePair };

export type ProfilePair = Readonly<Record<Direction, ProfileRecord>>;

/** There as long as an endpoint has it. */
export type ProfileRecord = {
  readonly key: ProfileKey;
  readonly profile: Profile;
  readonly chains: readonly ChainRecord[];
  /** Endpoints that have the profile. */
  count: number;
  reported: boolean;
  touched: boolean;
};

/** There as long as the policy is known, or a profile refers to a chain of it. */
export type PolicyRecord = {
  readonly key: PolicyKey;
  /** Of this record alone. */
  readonly id: number;
  policy: Policy | undefined;
  /** Chains are made when a profile first refers to them. */
  ingress: ChainRecord | undefined;
  egress: ChainRecord | undefined;
  dirty: boolean;
};

export type ChainRecord = {
  readonly key: ChainKey;
  readonly owner: PolicyRecord;
  readonly direction: Direction;
  /** Profiles that refer to the chain. */
  count: number;
  /** As last drained. */
  active: ActiveChain | undefined;
  touched: boolean;
};

export type ActiveChain = {
  readonly policy: Policy;
  readonly chain: PolicyChain;
  readonly sets: readonly SetRecord[];
  readonly allowOnly: boolean;
};

/** There as long as a chain refers to it. */
export type SetRecord = {
  readonly key: SetKey;
  readonly ref: SetRef;
  /** References of chains; one that names the set twice counts twice. */
  count: number;
  touched: boolean;
  open: boolean;
  /** Of a set of pods that is open. */
  view: PodSetView | undefined;
};
