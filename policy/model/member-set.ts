// The members of one set, counted because two pods may claim one address for a while, with the difference to what was
// last reported.

export type MemberSet<M> = {
  readonly add: (member: M) => void;
  readonly remove: (member: M) => void;
  /** What came and went since the last call. */
  readonly drain: () => { readonly added: readonly M[]; readonly removed: readonly M[] };
  /** All members as last reported; the set is of no use after. */
  readonly dissolve: () => readonly M[];
};

/** `identify` gives equal members equal text. */
export function createMemberSet<M>(identify: (member: M) => string): MemberSet<M> {
  const counts = new Map<string, number>();
  const reported = new Map<string, M>();
  const touched = new Map<string, M>();
  return {
    add: (member) => {
      const id = identify(member);
      const count = counts.get(id) ?? 0;
      counts.set(id, count + 1);
      if (count === 0) touched.set(id, member);
    },
    remove: (member) => {
      const id = identify(member);
      const count = counts.get(id) ?? 0;
      if (count > 1) counts.set(id, count - 1);
      else if (counts.delete(id)) touched.set(id, member);
    },
    drain: () => {
      const added: M[] = [];
      const removed: M[] = [];
      for (const [id, member] of touched) {
        const present = counts.has(id);
        if (present === reported.has(id)) continue;
        if (present) {
          reported.set(id, member);
          added.push(member);
        } else {
          reported.delete(id);
          removed.push(member);
        }
      }
      touched.clear();
      return { added, removed };
    },
    dissolve: () => [...reported.values()],
  };
}
