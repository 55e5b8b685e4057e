// The sets whose members are pods: a scope is resolved once, however many sets look at it (addresses, and one per named
// port), and a pod that changes is matched against the scopes that its labels can reach.
import type { Ip } from '../../lib/ip.ts';
import { type PodScope, scopeKey } from '../pod-scope.ts';
import { type NamedPort, ownsAddresses, type PodFacts } from '../world.ts';
import {
  addMember,
  createMemberSet,
  dissolveMembers,
  drainMembers,
  type MemberSet,
  removeMember,
} from './member-set.ts';
import { type PodIndex, placePod } from './pod-index.ts';
import type { PodRecord, PodSetView, PodShare, ScopeRecord } from './records.ts';
import { sameIps } from './same.ts';
import { createScopeIndex } from './scope-index.ts';
import type { SetRef } from './set-ref.ts';
import type { PortMember, SetChange, SetKey } from './types.ts';

export type PodSetRef = Exclude<SetRef, { kind: 'ranges' | 'nodes' }>;

export type PodSets = {
  /** The set exists from now on, filled with what is known. */
  readonly open: (key: SetKey, ref: PodSetRef) => PodSetView;
  /** The set goes; answers what it held when last drained. */
  readonly close: (view: PodSetView) => SetChange;
  /** To be called after anything changed that the pod's membership depends on. */
  readonly refresh: (pod: PodRecord) => Effect;
  /** Changes of the sets that are open. A new one is listed even when it is empty. */
  readonly drain: () => readonly SetChange[];
};

/** What a refresh did to the sets. */
export type Effect = { readonly gained: boolean; readonly lost: boolean };

/** A share in at least one scope. */
type Membership = { readonly share: PodShare; readonly scopes: ScopeRecord[] };

/** `addressesOf` are those that stand for a pod: of its local endpoint, or of its status. */
export function createPodSets(
  index: PodIndex,
  addressesOf: (pod: PodRecord, facts: PodFacts) => readonly Ip[],
): PodSets {
  const records = new Map<string, ScopeRecord>();
  const scopes = createScopeIndex<ScopeRecord>();
  let touched: PodSetView[] = [];

  const touch = (view: PodSetView): void => {
    if (view.touched) return;
    view.touched = true;
    touched.push(view);
  };

  const shareOf = (pod: PodRecord): PodShare | undefined => {
    const { facts } = pod;
    if (facts === undefined || !ownsAddresses(facts)) return undefined;
    const ips = addressesOf(pod, facts);
    return sameIps(ips, facts.ips) ? facts : { ips, ports: facts.ports };
  };

  const membershipOf = (pod: PodRecord): Membership | undefined => {
    const share = shareOf(pod);
    if (share === undefined || pod.facts === undefined) return undefined;
    const found = scopes.find(placePod(pod.namespace, pod.facts));
    return found.length === 0 ? undefined : { share, scopes: found };
  };

  const apply = (record: ScopeRecord, share: PodShare, change: typeof addShare): void => {
    for (const view of record.views) {
      change(view, share);
      touch(view);
    }
  };

  const openScope = (scope: PodScope): ScopeRecord => {
    const text = scopeKey(scope);
    const known = records.get(text);
    if (known !== undefined) return known;
    const record: ScopeRecord = { scope, text, pods: new Set(), views: [] };
    records.set(text, record);
    scopes.add(scope, record);
    for (const pod of index.find(scope)) {
      pod.share ??= shareOf(pod);
      if (pod.share === undefined) continue;
      // An array that grows by `push` keeps room for 16 more, which for each pod of a cluster is a lot.
      if (pod.scopes.length < FEW_SCOPES) pod.scopes = [...pod.scopes, record];
      else pod.scopes.push(record);
      record.pods.add(pod);
    }
    return record;
  };

  const closeScope = (record: ScopeRecord): void => {
    records.delete(record.text);
    scopes.delete(record.scope, record);
    for (const pod of record.pods) {
      pod.scopes = pod.scopes.filter((one) => one !== record);
      if (pod.scopes.length === 0) pod.share = undefined;
    }
  };

  return {
    open: (key, ref) => {
      const scope = openScope(ref.scope);
      const view: PodSetView = { key, scope, members: membersOf(ref), touched: false, state: 'fresh' };
      scope.views.push(view);
      touch(view);
      for (const { share } of scope.pods) if (share !== undefined) addShare(view, share);
      return view;
    },
    close: (view) => {
      const { scope } = view;
      view.state = 'closed';
      scope.views.splice(scope.views.indexOf(view), 1);
      if (scope.views.length === 0) closeScope(scope);
      return drainView(view, false);
    },
    refresh: (pod) => {
      if (pod.share === undefined && records.size === 0) return UNTOUCHED;
      const before: Membership | undefined = pod.share && { share: pod.share, scopes: pod.scopes };
      const after = membershipOf(pod);
      if (before === undefined ? after === undefined : after !== undefined && sameMembership(before, after)) {
        return UNTOUCHED;
      }
      // Added before removed: a member that stays is counted twice for a moment instead of going and coming back.
      for (const record of after?.scopes ?? []) {
        if (after !== undefined) apply(record, after.share, addShare);
        record.pods.add(pod);
      }
      const kept = new Set(after?.scopes);
      for (const record of before?.scopes ?? []) {
        if (before !== undefined) apply(record, before.share, removeShare);
        if (!kept.has(record)) record.pods.delete(pod);
      }
      pod.share = after?.share;
      pod.scopes = [...(after?.scopes ?? [])];
      return { gained: hasMore(after, before), lost: hasMore(before, after) };
    },
    drain: () => {
      const changes: SetChange[] = [];
      for (const view of touched) {
        view.touched = false;
        if (view.state === 'closed') continue;
        const change = drainView(view, true);
        if (view.state === 'fresh' || change.added.length > 0 || change.removed.length > 0) changes.push(change);
        view.state = 'open';
      }
      touched = [];
      return changes;
    },
  };
}

const FEW_SCOPES = 8;

const UNTOUCHED: Effect = { gained: false, lost: false };

function sameMembership(a: Membership, b: Membership): boolean {
  if (!sameShare(a.share, b.share) || a.scopes.length !== b.scopes.length) return false;
  const others = new Set(b.scopes);
  return a.scopes.every((scope) => others.has(scope));
}

// Whether `a` is a member somewhere that `b` is not.
function hasMore(a: Membership | undefined, b: Membership | undefined): boolean {
  if (a === undefined || a.share.ips.length === 0) return false;
  if (b === undefined) return true;
  const { share } = b;
  const others = new Set(b.scopes);
  if (!a.scopes.every((scope) => others.has(scope)) || !a.share.ips.every((ip) => share.ips.includes(ip))) return true;
  return !a.share.ports.every((port) => share.ports.some((other) => samePort(port, other)));
}

const membersOf = (ref: PodSetRef): PodSetView['members'] =>
  ref.kind === 'addresses'
    ? { kind: 'addresses', set: createMemberSet() }
    : { kind: 'ports', ref, set: createMemberSet() };

function addShare({ members }: PodSetView, share: PodShare): void {
  if (members.kind === 'addresses') for (const ip of share.ips) addMember(members.set, ip, ip);
  else for (const member of portMembers(members.ref, share)) addMember(members.set, portId(member), member);
}

function removeShare({ members }: PodSetView, share: PodShare): void {
  if (members.kind === 'addresses') for (const ip of share.ips) removeMember(members.set, ip);
  else for (const member of portMembers(members.ref, share)) removeMember(members.set, portId(member));
}

const portMembers = (
  ref: Pick<Extract<SetRef, { kind: 'ports' }>, 'name' | 'protocol'>,
  { ips, ports }: PodShare,
): readonly PortMember[] =>
  ports.flatMap(({ name, protocol, port }) =>
    name !== ref.name || (ref.protocol !== undefined && ref.protocol !== protocol)
      ? []
      : ips.map((ip) => ({ ip, protocol, port })),
  );

const portId = ({ ip, protocol, port }: PortMember): string => `${ip} ${protocol} ${port}`;

function drainView({ key, members }: PodSetView, exists: boolean): SetChange {
  return members.kind === 'addresses'
    ? { kind: 'addresses', key, exists, ...membersChange(members.set, exists) }
    : { kind: 'ports', key, exists, ...membersChange(members.set, exists) };
}

const membersChange = <M>(set: MemberSet<M>, exists: boolean): MembersChange<M> =>
  exists ? drainMembers(set) : { added: [], removed: dissolveMembers(set) };

type MembersChange<M> = { readonly added: readonly M[]; readonly removed: readonly M[] };

const sameShare = (a: PodShare, b: PodShare): boolean =>
  sameIps(a.ips, b.ips) && a.ports.length === b.ports.length && a.ports.every((port, i) => samePort(port, b.ports[i]));

const samePort = (a: NamedPort, b: NamedPort | undefined): boolean =>
  a.name === b?.name && a.protocol === b.protocol && a.port === b.port;
