// The part of Calico's selector language that BGPPeers use to pick nodes: `all()`, `has(key)`, `key == 'value'`, and
// these joined by `&&`.
import type { Node } from '../../datastore/resources/node.ts';
import { err, ok, type Result } from '../../lib/result.ts';

/** Whether a node is selected. */
export type NodeSelector = (node: Node) => boolean;

type Labels = Readonly<Record<string, string>>;

/** Absent or blank text selects every node. */
export function parseNodeSelector(text = ''): Result<NodeSelector> {
  if (text.trim() === '') return ok(() => true);
  const terms: ((labels: Labels) => boolean)[] = [];
  // Only what has whole quotations after it is outside of quotes: a value may hold `&&`.
  for (const term of text.split(/&&(?=(?:[^'"]|'[^']*'|"[^"]*")*$)/)) {
    const parsed = parseTerm(term.trim());
    if (parsed === undefined) {
      return err(
        `Cannot parse node selector "${text}": "${term.trim()}" is not known, expected all(), has(KEY), KEY == 'VALUE' joined by &&`,
      );
    }
    terms.push(parsed);
  }
  return ok((node) => terms.every((term) => term(node.metadata.labels ?? {})));
}

function parseTerm(term: string): ((labels: Labels) => boolean) | undefined {
  if (/^all\(\s*\)$/.test(term)) return () => true;
  const has = /^has\(\s*([-./\w]+)\s*\)$/.exec(term)?.[1];
  if (has !== undefined) return (labels) => Object.hasOwn(labels, has);
  const equal = /^([-./\w]+)\s*==\s*(?:'([^']*)'|"([^"]*)")$/.exec(term);
  const key = equal?.[1];
  if (equal === null || key === undefined) return undefined;
  const value = equal[2] ?? equal[3] ?? '';
  return (labels) => Object.hasOwn(labels, key) && labels[key] === value;
}
