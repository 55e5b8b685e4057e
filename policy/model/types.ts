// The contract of the incremental model: what goes in, and the keyed outputs of which `drain` reports the changes.
//
//   namespaces ─┐
//   pods ───────┼─► model ─► sets (members) ◄─ chains (policy × direction) ◄─ profiles ◄─ endpoints
//   nodes ──────┤
//   policies ───┤            an arrow means "refers to"; only what a local endpoint reaches exists
//   endpoints ──┘
import type { Brand } from '../../lib/brand.ts';
import type { Change } from '../../lib/change.ts';
import type { Family, Ip } from '../../lib/ip.ts';
import type { IfName } from '../../lib/linux/if-name.ts';
import type { Action, Direction, Policy, PolicyKey, Protocol, RuleRef, Tier } from '../ir.ts';
import type { Labels } from '../selector.ts';
import type { NodeFacts, PodFacts, PodKey } from '../world.ts';

/**
 * A pod's interface on this node, as CNI knows it, ahead of what the datastore tells. Its addresses replace those of
 * the pod's status. While no Pod object of that name (and of that `uid`, where both sides know one) is there, the
 * endpoint is denied everything.
 */
export type Endpoint = {
  readonly namespace: string;
  readonly pod: string;
  readonly uid?: string;
  /** Empty before the pod is attached, and after it. */
  readonly ips: readonly Ip[];
};

/**
 * Inputs may come in any order, repeated, and with references to what does not exist; `undefined` removes. Outputs
 * depend on the present inputs alone.
 */
export type PolicyModel = {
  readonly setNamespace: (name: string, labels: Labels | undefined) => void;
  readonly setPod: (key: PodKey, facts: PodFacts | undefined) => void;
  readonly setNode: (name: string, facts: NodeFacts | undefined) => void;
  readonly setPolicy: (key: PolicyKey, policy: Policy | undefined) => void;
  readonly setEndpoint: (ifName: IfName, endpoint: Endpoint | undefined) => void;
  /** What changed in the outputs since the last call. */
  readonly drain: () => PolicyChanges;
};

/**
 * Changes of the outputs, to be applied as one step. `canRevoke`: a flow that was allowed before may be denied after;
 * true also where that cannot be told cheaply. The deletion of a pod does not count.
 */
export type PolicyChanges = {
  readonly sets: readonly SetChange[];
  readonly chains: readonly Change<ChainKey, PolicyChain>[];
  readonly profiles: readonly Change<ProfileKey, Profile>[];
  readonly endpoints: readonly Change<IfName, EndpointPolicy>[];
  readonly canRevoke: boolean;
};

/** Identity of a set: what it holds, in canonical text. The same for both families. */
export type SetKey = Brand<string, 'SetKey'>;

/**
 * Change of the members of one set, of both families. `exists` is about the time after the change; a set that goes
 * lists all its members as removed, a new one lists them as added.
 */
export type SetChange =
  | {
      readonly kind: 'addresses';
      readonly key: SetKey;
      readonly exists: boolean;
      readonly added: readonly Ip[];
      readonly removed: readonly Ip[];
    }
  | {
      readonly kind: 'ranges';
      readonly key: SetKey;
      readonly exists: boolean;
      readonly added: readonly RangeMember[];
      readonly removed: readonly RangeMember[];
    }
  | {
      readonly kind: 'ports';
      readonly key: SetKey;
      readonly exists: boolean;
      readonly added: readonly PortMember[];
      readonly removed: readonly PortMember[];
    };

/** Inclusive; ranges of a set are disjoint and do not touch. */
export type RangeMember = { readonly first: Ip; readonly last: Ip };

/** A port that a pod declares under the name the set stands for. */
export type PortMember = { readonly ip: Ip; readonly protocol: Protocol; readonly port: number };

/** A policy in one direction. */
export type ChainKey = Brand<string, 'ChainKey'>;

/** The rules of a policy in one direction, resolved to sets. The first match that holds decides. */
export type PolicyChain = {
  readonly policy: PolicyKey;
  readonly direction: Direction;
  readonly matches: readonly Match[];
};

/**
 * All given conditions hold. `family` absent: both. `peer`: the remote address is in that set. `ports`: destination
 * port of one protocol, `ranges` inclusive; `protocols`: the packet is of one of them, any port. `namedPorts`:
 * destination address, protocol and port are in that set. Where a set is given, so is the family.
 */
export type Match = {
  readonly ref: RuleRef;
  readonly action: Action;
  readonly family?: Family;
  readonly peer?: { readonly kind: 'addresses' | 'ranges'; readonly set: SetKey };
  readonly ports?: { readonly protocol: Protocol; readonly ranges: readonly PortRange[] };
  readonly protocols?: readonly Protocol[];
  readonly namedPorts?: SetKey;
};

export type PortRange = { readonly from: number; readonly to: number };

/** Direction and the ordered policies of each tier. */
export type ProfileKey = Brand<string, 'ProfileKey'>;

/** What endpoints of one kind share in one direction. `closed`: everything is dropped. No tier: all is allowed. */
export type Profile =
  | { readonly kind: 'closed'; readonly direction: Direction }
  | { readonly kind: 'tiers'; readonly direction: Direction; readonly tiers: readonly ProfileTier[] };

/** A tier with the chains of its policies in order; never empty. */
export type ProfileTier = { readonly tier: Tier; readonly chains: readonly ChainKey[] };

/** What the dispatch needs to know of an endpoint. */
export type EndpointPolicy = {
  readonly egress: ProfileKey;
  readonly ingress: ProfileKey;
  readonly ips: readonly Ip[];
};
