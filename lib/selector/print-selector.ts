// The canonical text of a selector: two texts that differ in blanks, quotes or the order of values print alike.
import type { Comparison, Selector } from './types.ts';

/** `parseSelector()` reads it back to the same tree. */
export function printSelector(selector: Selector): string {
  switch (selector.kind) {
    case 'all':
    case 'global':
      return `${selector.kind}()`;
    case 'has':
      return `has(${selector.key})`;
    case 'equal':
    case 'not-equal':
    case 'contains':
    case 'starts-with':
    case 'ends-with':
      return `${selector.key} ${SIGNS[selector.kind]} ${quote(selector.value)}`;
    case 'in':
    case 'not-in':
      return `${selector.key} ${selector.kind === 'in' ? 'in' : 'not in'} { ${selector.values.map(quote).join(', ')} }`;
    case 'not':
      return `!${parenthesised(selector.inner)}`;
    case 'and':
    case 'or':
      return selector.parts.map((part) => parenthesised(part)).join(selector.kind === 'and' ? ' && ' : ' || ');
    default:
      return selector satisfies never;
  }
}

const SIGNS: Readonly<Record<Comparison, string>> = {
  equal: '==',
  'not-equal': '!=',
  contains: 'contains',
  'starts-with': 'starts with',
  'ends-with': 'ends with',
};

// Texts have no escapes: one that holds a double quote stands in single ones.
const quote = (text: string): string => (text.includes('"') ? `'${text}'` : `"${text}"`);

const parenthesised = (selector: Selector): string =>
  selector.kind === 'and' || selector.kind === 'or' ? `(${printSelector(selector)})` : printSelector(selector);
