// Whether labels are selected. `!=` and `not in` hold without the label too; every other comparison needs it.
import type { Labels, Selector } from './types.ts';

/** `namespaced`: whether the object lies in a namespace, which is what `global()` asks; absent: it does not. */
export function selectorMatches(selector: Selector, labels: Labels, namespaced = false): boolean {
  switch (selector.kind) {
    case 'all':
      return true;
    case 'global':
      return !namespaced;
    case 'has':
      return labelOf(labels, selector.key) !== undefined;
    case 'equal':
      return labelOf(labels, selector.key) === selector.value;
    case 'not-equal':
      return labelOf(labels, selector.key) !== selector.value;
    case 'contains':
      return labelOf(labels, selector.key)?.includes(selector.value) ?? false;
    case 'starts-with':
      return labelOf(labels, selector.key)?.startsWith(selector.value) ?? false;
    case 'ends-with':
      return labelOf(labels, selector.key)?.endsWith(selector.value) ?? false;
    case 'in':
    case 'not-in': {
      const value = labelOf(labels, selector.key);
      return (value !== undefined && selector.values.includes(value)) === (selector.kind === 'in');
    }
    case 'not':
      return !selectorMatches(selector.inner, labels, namespaced);
    case 'and':
      return selector.parts.every((part) => selectorMatches(part, labels, namespaced));
    case 'or':
      return selector.parts.some((part) => selectorMatches(part, labels, namespaced));
    default:
      return selector satisfies never;
  }
}

// Labels such as "constructor" are legal, so inherited properties must not count.
const labelOf = (labels: Labels, key: string): string | undefined =>
  Object.hasOwn(labels, key) ? labels[key] : undefined;
