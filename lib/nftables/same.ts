// Whether two tables hold the same: rules compare by what they do, not by how they were spelled.
import { isDeepStrictEqual } from 'node:util';
import type { NftKey, NftObject } from './ast.ts';
import { canonicalRule } from './print-rule.ts';

/** @throws Error when a rule cannot be encoded */
export function sameObjects(a: ReadonlyMap<NftKey, NftObject>, b: ReadonlyMap<NftKey, NftObject>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, object] of a) {
    const other = b.get(key);
    if (other === undefined || !sameObject(object, other)) return false;
  }
  return true;
}

/** @throws Error when a rule cannot be encoded */
export function sameObject(a: NftObject, b: NftObject): boolean {
  if (isDeepStrictEqual(a, b)) return true;
  if (a.kind !== 'chain' || b.kind !== 'chain' || a.name !== b.name || !isDeepStrictEqual(a.hook, b.hook)) return false;
  return isDeepStrictEqual(a.rules.map(canonicalRule), b.rules.map(canonicalRule));
}
