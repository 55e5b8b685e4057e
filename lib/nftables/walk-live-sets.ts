// Membership in named sets for the packet walker, looked up in the objects themselves: costs nothing to make, however
// large the table, and suits a few packets over a table that changes often. Keys must be spelled as the renderer and the
// dump spell them: words for protocols, canonical addresses. Good until the objects change.
import { type Element, type NftKey, type NftObject, type NftSet, nftKey, type Scalar, type SetName } from './ast.ts';
import { keyRuns } from './encode/keys.ts';
import type { SetIndex } from './walk-sets.ts';

/** Elements of an interval set; those of one field are in order. */
type Runs = readonly { readonly fields: ReturnType<typeof keyRuns>; readonly element: Element }[];

/** The same answers as `createSetIndex`. */
export function createLiveSetIndex(objects: ReadonlyMap<NftKey, NftObject>): SetIndex {
  let unsorted: ReadonlyMap<SetName, readonly Element[]> | undefined;
  const sorted = new Map<SetName, Runs>();

  const sets = new Map<SetName, NftSet>();

  const setNamed = (name: SetName): NftSet => {
    const known = sets.get(name);
    if (known !== undefined) return known;
    const set = objects.get(nftKey({ kind: 'set', name, keyTypes: [], interval: false }));
    if (set?.kind !== 'set') throw new Error(`Cannot look up set "${name}": is absent, expected it in the table`);
    sets.set(name, set);
    return set;
  };
  const runsOf = (set: NftSet): Runs => {
    const known = sorted.get(set.name);
    if (known !== undefined) return known;
    unsorted ??= intervalElements(objects);
    const runs = (unsorted.get(set.name) ?? []).map((element) => ({ fields: keyRuns(set, element.key), element }));
    if (set.keyTypes.length === 1) runs.sort((a, b) => compare(firstOf(a), firstOf(b)));
    sorted.set(set.name, runs);
    return runs;
  };

  // One packet is looked up in many sets of the same kind.
  let last: { readonly type: string | undefined; readonly scalar: Scalar | undefined; readonly bytes: Uint8Array[] } = {
    type: undefined,
    scalar: undefined,
    bytes: [],
  };
  const encoded = (set: NftSet, key: readonly Scalar[]): readonly Uint8Array[] => {
    const [type] = set.keyTypes;
    if (key.length !== 1) return keyRuns(set, key).map(({ first }) => first);
    if (last.type !== type || last.scalar !== key[0]) {
      last = { type, scalar: key[0], bytes: keyRuns(set, key).map(({ first }) => first) };
    }
    return last.bytes;
  };

  return {
    find: (name, key) => {
      const set = setNamed(name);
      if (!set.interval) {
        const element = objects.get(nftKey({ kind: 'element', set: name, key }));
        return element?.kind === 'element' ? element : undefined;
      }
      const wanted = encoded(set, key);
      const runs = runsOf(set);
      if (key.length > 1) return runs.find((run) => holds(run, wanted))?.element;
      const candidate = lastNotAbove(runs, wanted[0] ?? new Uint8Array());
      return candidate !== undefined && holds(candidate, wanted) ? candidate.element : undefined;
    },
  };
}

function intervalElements(objects: ReadonlyMap<NftKey, NftObject>): ReadonlyMap<SetName, readonly Element[]> {
  const bySet = new Map<SetName, Element[]>();
  for (const object of objects.values()) if (object.kind === 'set' && object.interval) bySet.set(object.name, []);
  if (bySet.size === 0) return bySet;
  for (const object of objects.values()) if (object.kind === 'element') bySet.get(object.set)?.push(object);
  return bySet;
}

/** Runs of one field are disjoint and in order, so that only the last one that begins in time can hold the value. */
function lastNotAbove(runs: Runs, value: Uint8Array): Runs[number] | undefined {
  let low = 0;
  let high = runs.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    const run = runs[middle];
    if (run !== undefined && compare(firstOf(run), value) <= 0) low = middle + 1;
    else high = middle;
  }
  return runs[low - 1];
}

const firstOf = ({ fields }: Runs[number]): Uint8Array => fields[0]?.first ?? new Uint8Array();

const holds = ({ fields }: Runs[number], wanted: readonly Uint8Array[]): boolean =>
  fields.every(({ first, last }, i) => {
    const value = wanted[i];
    return value !== undefined && compare(first, value) <= 0 && compare(value, last) <= 0;
  });

const compare = (a: Uint8Array, b: Uint8Array): number => Buffer.compare(a, b);
