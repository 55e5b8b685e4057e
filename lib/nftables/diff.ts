// The changes that lead from one state of a table to another.
import type { NftChange, NftKey, NftObject } from './ast.ts';
import { sameObject } from './same.ts';

/** Keys whose objects differ, removed ones first. @throws Error when a rule cannot be encoded */
export function diffObjects(
  before: ReadonlyMap<NftKey, NftObject>,
  after: ReadonlyMap<NftKey, NftObject>,
): readonly NftChange[] {
  const changes: NftChange[] = [];
  for (const [key, object] of before) if (!after.has(key)) changes.push({ key, before: object, after: undefined });
  for (const [key, object] of after) {
    const old = before.get(key);
    if (old === undefined || !sameObject(old, object)) changes.push({ key, before: old, after: object });
  }
  return changes;
}
