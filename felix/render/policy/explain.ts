// What of a table a few elements, or the hooks, lead to: the chains of their verdicts, the chains and sets that these
// refer to, and the elements of those sets.

import type { ChainName, Element, NftKey, NftObject, SetName, Statement } from '../../../lib/nftables/ast.ts';
import { nftKey } from '../../../lib/nftables/ast.ts';
import { ENDPOINT_SETS } from './names.ts';

// Its elements there are listed one by one; those of other endpoints are of no interest.
const ENDPOINTS: ReadonlySet<SetName> = new Set([
  ENDPOINT_SETS.hairpin,
  ...Object.values(ENDPOINT_SETS.addresses),
  ...Object.values(ENDPOINT_SETS.dispatch),
]);

type Objects = ReadonlyMap<NftKey, NftObject>;

/** Keys of the elements, and of everything that they lead to, each once. */
export function reachableFrom(elements: readonly Element[], objects: Objects): readonly NftKey[] {
  const chains = elements.flatMap(({ verdict }) => (verdict?.kind === 'goto' ? [verdict.chain] : []));
  return [...new Set([...elements.flatMap((each) => [setKey(each.set), nftKey(each)]), ...follow(chains, objects)])];
}

/**
 * Keys of the base chains, and of everything that every packet of a pod may come to before the dispatch to the profile of
 * its endpoint: the sets of endpoints without their elements.
 */
export function reachableFromHooks(objects: Objects): readonly NftKey[] {
  const chains = [...objects.values()].flatMap((object) =>
    object.kind === 'chain' && object.hook !== undefined ? [object.name] : [],
  );
  return follow(chains, objects);
}

function follow(chains: readonly ChainName[], objects: Objects): readonly NftKey[] {
  const keys = new Set<NftKey>();
  const elements = Map.groupBy(
    [...objects.values()].filter((object) => object.kind === 'element'),
    ({ set }) => set,
  );
  const visit = (name: ChainName): void => {
    const key: NftKey = nftKey({ kind: 'chain', name, rules: [] });
    const chain = objects.get(key);
    if (chain?.kind !== 'chain' || keys.has(key)) return;
    keys.add(key);
    for (const statement of chain.rules.flatMap(({ statements }) => statements)) {
      const target = chainOf(statement);
      if (target !== undefined) visit(target);
      const set = setOf(statement);
      if (set !== undefined && !keys.has(setKey(set))) {
        keys.add(setKey(set));
        if (!ENDPOINTS.has(set)) elements.get(set)?.forEach(visitElement);
      }
      if (statement.kind === 'counter-ref') keys.add(nftKey({ kind: 'counter', name: statement.counter }));
    }
  };
  const visitElement = (element: Element): void => {
    keys.add(nftKey(element));
    const { verdict } = element;
    if (verdict?.kind === 'jump' || verdict?.kind === 'goto') visit(verdict.chain);
  };
  chains.forEach(visit);
  return [...keys];
}

const setKey = (name: SetName): NftKey => nftKey({ kind: 'set', name, keyTypes: [], interval: false });

function setOf(statement: Statement): SetName | undefined {
  if (statement.kind === 'vmap') return statement.map;
  return statement.kind === 'lookup' ? statement.set : undefined;
}

function chainOf(statement: Statement): ChainName | undefined {
  if (statement.kind !== 'verdict') return undefined;
  const { verdict } = statement;
  return verdict.kind === 'jump' || verdict.kind === 'goto' ? verdict.chain : undefined;
}
