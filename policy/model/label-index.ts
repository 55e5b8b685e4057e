// Things by the labels they carry, to answer "which of them can this selector select" at a cost of the answer.
import type { Labels, Selector } from '../selector.ts';
import { selectorAnchors } from './anchor.ts';

export type LabelIndex<T> = {
  readonly add: (labels: Labels, item: T) => void;
  /** Labels and item must be those that were added. */
  readonly delete: (labels: Labels, item: T) => void;
  /** Lists that together hold all that the selector selects; undefined: that may be everything. */
  readonly find: (selector: Selector) => readonly ReadonlySet<T>[] | undefined;
};

export function createLabelIndex<T>(): LabelIndex<T> {
  const byKey = new Map<string, Map<string, Set<T>>>();
  return {
    add: (labels, item) => {
      for (const key of Object.keys(labels)) {
        const value = labels[key] ?? '';
        let byValue = byKey.get(key);
        if (byValue === undefined) {
          byValue = new Map();
          byKey.set(key, byValue);
        }
        const items = byValue.get(value);
        if (items === undefined) byValue.set(value, new Set([item]));
        else items.add(item);
      }
    },
    delete: (labels, item) => {
      for (const key of Object.keys(labels)) {
        const value = labels[key] ?? '';
        const byValue = byKey.get(key);
        const items = byValue?.get(value);
        if (!items?.delete(item) || items.size > 0) continue;
        byValue?.delete(value);
        if (byValue?.size === 0) byKey.delete(key);
      }
    },
    find: (selector) => {
      const lists: ReadonlySet<T>[] = [];
      for (const anchor of selectorAnchors(selector)) {
        if (anchor.kind === 'any') return undefined;
        if (anchor.kind === 'name') continue;
        const byValue = byKey.get(anchor.key);
        if (byValue === undefined) continue;
        if (anchor.kind === 'key') lists.push(...byValue.values());
        else {
          const items = byValue.get(anchor.value);
          if (items !== undefined) lists.push(items);
        }
      }
      return lists;
    },
  };
}
