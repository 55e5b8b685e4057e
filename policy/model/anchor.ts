// Anchors: for each selector a few marks of which an object must carry one to be selected, so that an index can find the
// candidates without trying every selector on every object. An object carries at most one of the anchors of a selector.
// An anchor map holds something per anchor; it is asked with an object's labels as they are, since composing texts for
// each label would cost more than the rest of the search. It is data, not closures: there is one for each namespace.
import type { NamespaceScope } from '../pod-scope.ts';
import type { Labels, Selector } from '../selector.ts';

/** `any` is carried by every object, and is the anchor of selectors that say nothing an index could use. */
export type Anchor =
  | { readonly kind: 'any' }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'label'; readonly key: string; readonly value: string };

/** Anchors of a selector; an object that it selects carries exactly one. Empty: it selects nothing. */
export function selectorAnchors({ requirements }: Selector): readonly Anchor[] {
  if (requirements.length === 0) return ANYTHING;
  let best: Extract<Selector['requirements'][number], { operator: 'in' | 'not-in' }> | undefined;
  for (const requirement of requirements) {
    if (requirement.operator !== 'in') continue;
    if (best === undefined || requirement.values.length < best.values.length) best = requirement;
  }
  if (best !== undefined) {
    const { key, values } = best;
    return values.map((value) => ({ kind: 'label', key, value }));
  }
  const exists = requirements.find(({ operator }) => operator === 'exists');
  return exists === undefined ? ANYTHING : [{ kind: 'key', key: exists.key }];
}

/** Anchors of a namespace scope. A namespace carries its name and its labels. */
export const scopeAnchors = (scope: NamespaceScope): readonly Anchor[] =>
  scope.kind === 'name' ? [{ kind: 'name', name: scope.name }] : selectorAnchors(scope.selector);

const ANYTHING: readonly Anchor[] = [{ kind: 'any' }];

/** The tables are there when something is in them. */
export type AnchorMap<V extends object> = {
  everywhere: V | undefined;
  byName: Map<string, V> | undefined;
  byKey: Map<string, Slot<V>> | undefined;
};

type Slot<V> = { any: V | undefined; values: Map<string, V> | undefined };

export const createAnchorMap = <V extends object>(): AnchorMap<V> => ({
  everywhere: undefined,
  byName: undefined,
  byKey: undefined,
});

export const isEmptyAnchorMap = ({ everywhere, byName, byKey }: AnchorMap<object>): boolean =>
  everywhere === undefined && byName === undefined && byKey === undefined;

export function getAnchored<V extends object>(map: AnchorMap<V>, anchor: Anchor): V | undefined {
  switch (anchor.kind) {
    case 'any':
      return map.everywhere;
    case 'name':
      return map.byName?.get(anchor.name);
    case 'key':
      return map.byKey?.get(anchor.key)?.any;
    case 'label':
      return map.byKey?.get(anchor.key)?.values?.get(anchor.value);
    default:
      return anchor satisfies never;
  }
}

/** `undefined` removes. */
export function setAnchored<V extends object>(map: AnchorMap<V>, anchor: Anchor, value: V | undefined): void {
  if (anchor.kind === 'any') map.everywhere = value;
  else if (anchor.kind === 'name') map.byName = changed(map.byName, anchor.name, value);
  else {
    const slot = map.byKey?.get(anchor.key) ?? { any: undefined, values: undefined };
    if (anchor.kind === 'key') slot.any = value;
    else slot.values = changed(slot.values, anchor.value, value);
    const isEmpty = slot.any === undefined && slot.values === undefined;
    map.byKey = changed(map.byKey, anchor.key, isEmpty ? undefined : slot);
  }
}

/** The values of the anchors that an object with these labels, and with this name if one is given, carries. */
export function carriedBy<V extends object>(map: AnchorMap<V>, labels: Labels, name?: string): readonly V[] {
  const found: V[] = map.everywhere === undefined ? [] : [map.everywhere];
  const named = name === undefined ? undefined : map.byName?.get(name);
  if (named !== undefined) found.push(named);
  if (map.byKey === undefined) return found;
  for (const key of Object.keys(labels)) {
    const slot = map.byKey.get(key);
    if (slot === undefined) continue;
    if (slot.any !== undefined) found.push(slot.any);
    const exact = slot.values?.get(labels[key] ?? '');
    if (exact !== undefined) found.push(exact);
  }
  return found;
}

function changed<V>(table: Map<string, V> | undefined, key: string, value: V | undefined): Map<string, V> | undefined {
  if (value !== undefined) return (table ?? new Map<string, V>()).set(key, value);
  table?.delete(key);
  return table === undefined || table.size === 0 ? undefined : table;
}
