// What commits of somebody else touched, as far as their messages name it exactly: the rules of a chain, the elements of
// a set. Everything else, such as a chain that comes, goes or is renamed, is `all`: only a whole reading shows it.
import type { ChainName, SetName } from './ast.ts';

export type Parts = { readonly chains: ReadonlySet<ChainName>; readonly sets: ReadonlySet<SetName> };

export type Touched = { readonly kind: 'all' } | ({ readonly kind: 'parts' } & Parts);

export const ALL_TOUCHED: Touched = { kind: 'all' };
export const NOTHING_TOUCHED: Touched = { kind: 'parts', chains: new Set(), sets: new Set() };

/** More parts than this are read as fast with all the others. */
const MOST_PARTS = 50;

export function mergeTouched(a: Touched, b: Touched): Touched {
  if (a.kind === 'all' || b.kind === 'all') return ALL_TOUCHED;
  const [chains, sets] = [a.chains.union(b.chains), a.sets.union(b.sets)];
  return chains.size + sets.size > MOST_PARTS ? ALL_TOUCHED : { kind: 'parts', chains, sets };
}
