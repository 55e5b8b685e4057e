// Anchors: for each selector a few marks of which an object must carry one to be selected, so that an index can find the
// candidates without trying every selector on every object. An anchor map holds something per anchor; it is asked with
// an object's labels as they are, since composing texts for each label would cost more than the rest of the search.
import type { NamespaceScope } from '../pod-scope.ts';
import type { Labels, Selector } from '../selector.ts';

/** `any` is carried by every object, and is the anchor of selectors that say nothing an index could use. */
export type Anchor =
  | { readonly kind: 'any' }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'key'; readonly key: string }
  | { readonly kind: 'label'; readonly key: string; readonly value: string };

/** Anchors of a selector; an object that it selects carries at least one. Empty: it selects nothing. */
export function selectorAnchors({ requirements }: Selector): readonly Anchor[] {
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
  return [exists === undefined ? ANY : { kind: 'key', key: exists.key }];
}

/** Anchors of a namespace scope. A namespace carries its name and its labels. */
export const scopeAnchors = (scope: NamespaceScope): readonly Anchor[] =>
  scope.kind === 'name' ? [{ kind: 'name', name: scope.name }] : selectorAnchors(scope.selector);

const ANY: Anchor = { kind: 'any' };

export type AnchorMap<V extends object> = {
  readonly get: (anchor: Anchor) => V | undefined;
  /** The value of the anchor, made when there is none. */
  readonly ensure: (anchor: Anchor, make: () => V) => V;
  readonly delete: (anchor: Anchor) => void;
  /** The values of the anchors that an object with these labels, and with this name if one is given, carries. */
  readonly carried: (labels: Labels, name?: string) => readonly V[];
};

type Slot<V> = { any: V | undefined; readonly values: Map<string, V> };

export function createAnchorMap<V extends object>(): AnchorMap<V> {
  let everywhere: V | undefined;
  const byName = new Map<string, V>();
  const byKey = new Map<string, Slot<V>>();

  const get = (anchor: Anchor): V | undefined => {
    switch (anchor.kind) {
      case 'any':
        return everywhere;
      case 'name':
        return byName.get(anchor.name);
      case 'key':
        return byKey.get(anchor.key)?.any;
      case 'label':
        return byKey.get(anchor.key)?.values.get(anchor.value);
      default:
        return anchor satisfies never;
    }
  };

  const set = (anchor: Anchor, value: V | undefined): void => {
    if (anchor.kind === 'any') everywhere = value;
    else if (anchor.kind === 'name') put(byName, anchor.name, value);
    else {
      const slot = byKey.get(anchor.key) ?? { any: undefined, values: new Map() };
      if (anchor.kind === 'key') slot.any = value;
      else put(slot.values, anchor.value, value);
      put(byKey, anchor.key, slot.any === undefined && slot.values.size === 0 ? undefined : slot);
    }
  };

  return {
    get,
    ensure: (anchor, make) => {
      const known = get(anchor);
      if (known !== undefined) return known;
      const made = make();
      set(anchor, made);
      return made;
    },
    delete: (anchor) => set(anchor, undefined),
    carried: (labels, name) => {
      const found: V[] = everywhere === undefined ? [] : [everywhere];
      const named = name === undefined ? undefined : byName.get(name);
      if (named !== undefined) found.push(named);
      if (byKey.size === 0) return found;
      for (const key of Object.keys(labels)) {
        const slot = byKey.get(key);
        if (slot === undefined) continue;
        if (slot.any !== undefined) found.push(slot.any);
        const exact = slot.values.get(labels[key] ?? '');
        if (exact !== undefined) found.push(exact);
      }
      return found;
    },
  };
}

function put<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
