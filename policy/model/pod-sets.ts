// The sets whose members are pods: a scope is resolved once, however many sets look at it (addresses, and one per named
// port), and a pod that changes is matched against the scopes that its labels can reach.
import type { Ip } from '../../lib/ip.ts';
import { type PodScope, scopeKey } from '../pod-scope.ts';
import { type NamedPort, ownsAddresses, type PodFacts, type PodKey } from '../world.ts';
import { createMemberSet, type MemberSet } from './member-set.ts';
import type { PodIndex } from './pod-index.ts';
import { createScopeIndex } from './scope-index.ts';
import type { SetRef } from './set-ref.ts';
import type { PortMember, SetChange, SetKey } from './types.ts';

export type PodSetRef = Exclude<SetRef, { kind: 'ranges' | 'nodes' }>;

export type PodSets = {
  /** The set exists from now on, filled with what is known. */
  readonly open: (key: SetKey, ref: PodSetRef) => void;
  /** The set goes; answers what it held when last drained. */
  readonly close: (key: SetKey) => SetChange;
  /** To be called after anything changed that the pod's membership depends on. */
  readonly refresh: (pod: PodKey) => Effect;
  /** Changes of the sets that are open. A new one is listed even when it is empty. */
  readonly drain: () => readonly SetChange[];
};

/** What a refresh did to the sets. */
export type Effect = { readonly gained: boolean; readonly lost: boolean };

/** What a pod brings into the sets that it is a member of. */
type Share = { readonly ips: readonly Ip[]; readonly ports: readonly NamedPort[] };

type View = {
  readonly key: SetKey;
  readonly change: (share: Share, how: 'add' | 'remove') => void;
  readonly drain: (exists: boolean) => SetChange;
  fresh: boolean;
};

type ScopeEntry = { readonly scope: PodScope; readonly pods: Set<PodKey>; readonly views: Map<SetKey, View> };

type Membership = { readonly share: Share; readonly scopes: Set<ScopeEntry> };

/** `addressesOf` are those that stand for a pod: of its local endpoint, or of its status. */
export function createPodSets(index: PodIndex, addressesOf: (key: PodKey, facts: PodFacts) => readonly Ip[]): PodSets {
  const entries = new Map<string, ScopeEntry>();
  const owners = new Map<SetKey, ScopeEntry>();
  const scopes = createScopeIndex<ScopeEntry>();
  const memberships = new Map<PodKey, Membership>();
  const touched = new Set<View>();

  const shareOf = (key: PodKey): Share | undefined => {
    const facts = index.pod(key);
    if (facts === undefined || !ownsAddresses(facts)) return undefined;
    return { ips: addressesOf(key, facts), ports: facts.ports };
  };

  const apply = (entry: ScopeEntry, share: Share, how: 'add' | 'remove'): void => {
    for (const view of entry.views.values()) {
      view.change(share, how);
      touched.add(view);
    }
  };

  const openScope = (scope: PodScope): ScopeEntry => {
    const text = scopeKey(scope);
    const known = entries.get(text);
    if (known !== undefined) return known;
    const entry: ScopeEntry = { scope, pods: new Set(), views: new Map() };
    entries.set(text, entry);
    scopes.add(scope, entry);
    for (const key of index.find(scope)) {
      const membership = memberships.get(key);
      if (membership !== undefined) {
        membership.scopes.add(entry);
        entry.pods.add(key);
        continue;
      }
      const share = shareOf(key);
      if (share === undefined) continue;
      entry.pods.add(key);
      memberships.set(key, { share, scopes: new Set([entry]) });
    }
    return entry;
  };

  const closeScope = (entry: ScopeEntry): void => {
    entries.delete(scopeKey(entry.scope));
    scopes.delete(entry.scope, entry);
    for (const key of entry.pods) {
      const membership = memberships.get(key);
      if (membership?.scopes.delete(entry) && membership.scopes.size === 0) memberships.delete(key);
    }
  };

  return {
    open: (key, ref) => {
      const entry = openScope(ref.scope);
      const view = createView(key, ref);
      entry.views.set(key, view);
      owners.set(key, entry);
      touched.add(view);
      for (const pod of entry.pods) {
        const share = memberships.get(pod)?.share;
        if (share !== undefined) view.change(share, 'add');
      }
    },
    close: (key) => {
      const entry = owners.get(key);
      const view = entry?.views.get(key);
      if (entry === undefined || view === undefined) throw new Error(`Cannot close set "${key}": it is not open`);
      owners.delete(key);
      entry.views.delete(key);
      touched.delete(view);
      if (entry.views.size === 0) closeScope(entry);
      return view.drain(false);
    },
    refresh: (key) => {
      const before = memberships.get(key);
      if (before === undefined && entries.size === 0) return UNTOUCHED;
      const facts = index.pod(key);
      const share = shareOf(key);
      const after =
        facts === undefined || share === undefined ? new Set<ScopeEntry>() : scopes.find(index.place(facts));
      if (
        before !== undefined &&
        share !== undefined &&
        sameShare(before.share, share) &&
        sameSet(before.scopes, after)
      ) {
        return UNTOUCHED;
      }
      // Added before removed: a member that stays is counted twice for a moment instead of going and coming back.
      if (share !== undefined) {
        for (const entry of after) {
          apply(entry, share, 'add');
          entry.pods.add(key);
        }
      }
      for (const entry of before?.scopes ?? []) {
        if (before !== undefined) apply(entry, before.share, 'remove');
        if (!after.has(entry)) entry.pods.delete(key);
      }
      if (share === undefined || after.size === 0) memberships.delete(key);
      else memberships.set(key, { share, scopes: after });
      const afterwards = share === undefined ? undefined : { share, scopes: after };
      return { gained: hasMore(afterwards, before), lost: hasMore(before, afterwards) };
    },
    drain: () => {
      const changes: SetChange[] = [];
      for (const view of touched) {
        const change = view.drain(true);
        if (view.fresh || change.added.length > 0 || change.removed.length > 0) changes.push(change);
        view.fresh = false;
      }
      touched.clear();
      return changes;
    },
  };
}

const UNTOUCHED: Effect = { gained: false, lost: false };

// Whether `a` is a member somewhere that `b` is not.
function hasMore(a: Membership | undefined, b: Membership | undefined): boolean {
  if (a === undefined || a.share.ips.length === 0 || a.scopes.size === 0) return false;
  if (b === undefined || !a.scopes.isSubsetOf(b.scopes) || !a.share.ips.every((ip) => b.share.ips.includes(ip)))
    return true;
  return !a.share.ports.every((port) => b.share.ports.some((other) => samePort(port, other)));
}

function createView(key: SetKey, ref: PodSetRef): View {
  if (ref.kind === 'addresses') {
    const members = createMemberSet<Ip>((ip) => ip);
    return {
      key,
      fresh: true,
      change: ({ ips }, how) => ips.forEach(members[how]),
      drain: (exists) => ({ kind: 'addresses', key, exists, ...drainMembers(members, exists) }),
    };
  }
  const members = createMemberSet<PortMember>(({ ip, protocol, port }) => `${ip} ${protocol} ${port}`);
  return {
    key,
    fresh: true,
    change: ({ ips, ports }, how) => {
      for (const { name, protocol, port } of ports) {
        if (name !== ref.name || (ref.protocol !== undefined && ref.protocol !== protocol)) continue;
        for (const ip of ips) members[how]({ ip, protocol, port });
      }
    },
    drain: (exists) => ({ kind: 'ports', key, exists, ...drainMembers(members, exists) }),
  };
}

function drainMembers<M>(members: MemberSet<M>, exists: boolean): ReturnType<MemberSet<M>['drain']> {
  return exists ? members.drain() : { added: [], removed: members.dissolve() };
}

const sameSet = <T>(a: ReadonlySet<T>, b: ReadonlySet<T>): boolean => a.size === b.size && a.isSubsetOf(b);

function sameShare(a: Share, b: Share): boolean {
  return (
    a.ips.length === b.ips.length &&
    a.ips.every((ip, i) => ip === b.ips[i]) &&
    a.ports.length === b.ports.length &&
    a.ports.every((port, i) => samePort(port, b.ports[i]))
  );
}

const samePort = (a: NamedPort, b: NamedPort | undefined): boolean =>
  a.name === b?.name && a.protocol === b.protocol && a.port === b.port;
