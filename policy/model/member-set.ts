// The members of one set, counted because two pods may claim one address for a while, with the difference to what was
// last reported.

export type MemberSet<M> = {
  readonly members: Map<string, Member<M>>;
  /** Those whose presence may differ from what was reported. */
  touched: Member<M>[];
};

type Member<M> = { readonly id: string; readonly member: M; count: number; reported: boolean; touched: boolean };

export const createMemberSet = <M>(): MemberSet<M> => ({ members: new Map(), touched: [] });

/** `id`: equal for equal members. */
export function addMember<M>(set: MemberSet<M>, id: string, member: M): void {
  const known = set.members.get(id);
  if (known === undefined) {
    const made = { id, member, count: 1, reported: false, touched: true };
    set.members.set(id, made);
    set.touched.push(made);
    return;
  }
  known.count++;
  if (known.count === 1) touch(set, known);
}

/** Of a member that is not there: nothing. */
export function removeMember<M>(set: MemberSet<M>, id: string): void {
  const known = set.members.get(id);
  if (known === undefined || known.count === 0) return;
  known.count--;
  if (known.count === 0) touch(set, known);
}

/** What came and went since the last call. */
export function drainMembers<M>(set: MemberSet<M>): { readonly added: readonly M[]; readonly removed: readonly M[] } {
  if (set.touched.length === 0) return NOTHING;
  const added: M[] = [];
  const removed: M[] = [];
  for (const one of set.touched) {
    one.touched = false;
    const present = one.count > 0;
    if (!present) set.members.delete(one.id);
    if (present === one.reported) continue;
    one.reported = present;
    (present ? added : removed).push(one.member);
  }
  set.touched = [];
  return { added, removed };
}

/** All members as last reported; the set is of no use after. */
export const dissolveMembers = <M>({ members }: MemberSet<M>): readonly M[] =>
  [...members.values()].flatMap(({ member, reported }) => (reported ? [member] : []));

const NOTHING = { added: [], removed: [] } as const;

function touch<M>(set: MemberSet<M>, one: Member<M>): void {
  if (one.touched) return;
  one.touched = true;
  set.touched.push(one);
}
