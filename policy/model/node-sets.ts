// The sets whose members are addresses of nodes. Nodes are few and change rarely, and so do the sets, so each change of
// a node looks at all of them.
import type { Ip } from '../../lib/ip.ts';
import { type Selector, selectorMatches } from '../selector.ts';
import type { NodeFacts } from '../world.ts';
import {
  addMember,
  createMemberSet,
  dissolveMembers,
  drainMembers,
  type MemberSet,
  removeMember,
} from './member-set.ts';
import type { Effect } from './pod-sets.ts';
import type { SetChange, SetKey } from './types.ts';

export type NodeSets = {
  readonly setNode: (name: string, facts: NodeFacts | undefined) => Effect;
  /** The set exists from now on, filled with what is known. */
  readonly open: (key: SetKey, selector: Selector) => void;
  /** The set goes; answers what it held when last drained. */
  readonly close: (key: SetKey) => SetChange;
  /** Changes of the sets that are open. A new one is listed even when it is empty. */
  readonly drain: () => readonly SetChange[];
};

type NodeSet = { readonly selector: Selector; readonly members: MemberSet<Ip>; fresh: boolean };

export function createNodeSets(): NodeSets {
  const nodes = new Map<string, NodeFacts>();
  const sets = new Map<SetKey, NodeSet>();

  return {
    setNode: (name, facts) => {
      const before = nodes.get(name);
      if (facts === undefined) nodes.delete(name);
      else nodes.set(name, facts);
      let effect: Effect = { gained: false, lost: false };
      for (const { selector, members } of sets.values()) {
        const [old, now] = [shareOf(before, selector), shareOf(facts, selector)];
        for (const ip of now) addMember(members, ip, ip);
        for (const ip of old) removeMember(members, ip);
        effect = {
          gained: effect.gained || now.some((ip) => !old.includes(ip)),
          lost: effect.lost || old.some((ip) => !now.includes(ip)),
        };
      }
      return effect;
    },
    open: (key, selector) => {
      const members = createMemberSet<Ip>();
      for (const facts of nodes.values()) for (const ip of shareOf(facts, selector)) addMember(members, ip, ip);
      sets.set(key, { selector, members, fresh: true });
    },
    close: (key) => {
      const set = sets.get(key);
      if (set === undefined) throw new Error(`Cannot close set "${key}": it is not open`);
      sets.delete(key);
      return { kind: 'addresses', key, exists: false, added: [], removed: dissolveMembers(set.members) };
    },
    drain: () => {
      const changes: SetChange[] = [];
      for (const [key, set] of sets) {
        const { added, removed } = drainMembers(set.members);
        if (set.fresh || added.length > 0 || removed.length > 0) {
          changes.push({ kind: 'addresses', key, exists: true, added, removed });
        }
        set.fresh = false;
      }
      return changes;
    },
  };
}

const shareOf = (facts: NodeFacts | undefined, selector: Selector): readonly Ip[] =>
  facts !== undefined && selectorMatches(selector, facts.labels) ? [...new Set(facts.ips)] : [];
