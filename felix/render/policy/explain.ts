// What of a table a few elements lead to: the chains of their verdicts, the chains and sets that these refer to, and
// the elements of those sets.

import type { ChainName, Element, NftKey, NftObject, SetName, Statement } from '../../../lib/nftables/ast.ts';
import { nftKey } from '../../../lib/nftables/ast.ts';
import { ENDPOINT_SETS } from './names.ts';

// Its elements there are listed one by one; those of other endpoints are of no interest.
const ENDPOINTS: ReadonlySet<SetName> = new Set([ENDPOINT_SETS.hairpin]);

/** Keys of the elements, and of everything that they lead to, each once. */
export function reachableFrom(
  elements: readonly Element[],
  objects: ReadonlyMap<NftKey, NftObject>,
): readonly NftKey[] {
  const keys = new Set<NftKey>();
  const filled = new Set<SetName>();
  const visit = (name: ChainName): void => {
    const key: NftKey = nftKey({ kind: 'chain', name, rules: [] });
    const chain = objects.get(key);
    if (chain?.kind !== 'chain' || keys.has(key)) return;
    keys.add(key);
    for (const statement of chain.rules.flatMap(({ statements }) => statements)) {
      const target = chainOf(statement);
      if (target !== undefined) visit(target);
      const set = setOf(statement);
      if (set !== undefined && !ENDPOINTS.has(set)) filled.add(set);
      if (statement.kind === 'counter-ref') keys.add(nftKey({ kind: 'counter', name: statement.counter }));
    }
  };
  for (const element of elements) {
    keys.add(setKey(element.set)).add(nftKey(element));
    if (element.verdict?.kind === 'goto') visit(element.verdict.chain);
  }
  for (const set of filled) keys.add(setKey(set));
  for (const [key, object] of objects) if (object.kind === 'element' && filled.has(object.set)) keys.add(key);
  return [...keys];
}

const setKey = (name: SetName): NftKey => nftKey({ kind: 'set', name, keyTypes: [], interval: false });

const setOf = (statement: Statement): SetName | undefined => (statement.kind === 'lookup' ? statement.set : undefined);

function chainOf(statement: Statement): ChainName | undefined {
  if (statement.kind !== 'verdict') return undefined;
  const { verdict } = statement;
  return verdict.kind === 'jump' || verdict.kind === 'goto' ? verdict.chain : undefined;
}
