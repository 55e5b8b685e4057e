// Elements that several claims may ask for: one is in the table as long as any of them does.
import { type Element, type NftKey, nftKey } from '../../../lib/nftables/ast.ts';
import type { TableRecorder } from './table-recorder.ts';

/**
 * Says which elements a claim asks for now, in place of those before. None: the claim is over. Returns whether an element
 * is in the table that was not.
 */
export type Claim = (name: string, elements: readonly Element[]) => boolean;

/** `always`: in the table from the start, and whatever is claimed. */
export function createElementClaims(table: TableRecorder, always: readonly Element[]): Claim {
  const claims = new Map<string, ReadonlySet<NftKey>>();
  const counts = new Map<NftKey, number>(always.map((element) => [nftKey(element), 1]));
  return (name, elements) => {
    const before = claims.get(name);
    const wanted = new Map(elements.map((element) => [nftKey(element), element]));
    let isMore = false;
    for (const [key, element] of wanted) {
      if (before?.has(key)) continue;
      const count = counts.get(key) ?? 0;
      if (count === 0) {
        table.put(element);
        isMore = true;
      }
      counts.set(key, count + 1);
    }
    for (const key of before ?? []) {
      if (wanted.has(key)) continue;
      const count = counts.get(key) ?? 0;
      if (count > 1) counts.set(key, count - 1);
      else {
        counts.delete(key);
        table.drop(key);
      }
    }
    if (wanted.size === 0) claims.delete(name);
    else claims.set(name, new Set(wanted.keys()));
    return isMore;
  };
}
