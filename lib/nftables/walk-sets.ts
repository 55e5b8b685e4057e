// Membership in named sets for the packet walker: single values by a hash, runs one after the other.
import type { Element, NftKey, NftObject, NftSet, Scalar, SetName } from './ast.ts';
import { elementKey, keyRuns } from './encode/keys.ts';

export type SetIndex = {
  /** The element that holds the key. @throws Error when there is no such set or the key does not fit it */
  readonly find: (set: SetName, key: readonly Scalar[]) => Element | undefined;
};

type IndexedSet = {
  readonly set: NftSet;
  readonly values: Map<string, Element>;
  readonly runs: { readonly fields: ReturnType<typeof keyRuns>; readonly element: Element }[];
};

export function createSetIndex(objects: ReadonlyMap<NftKey, NftObject>): SetIndex {
  const sets = new Map<SetName, IndexedSet>();
  for (const object of objects.values()) {
    if (object.kind === 'set') sets.set(object.name, { set: object, values: new Map(), runs: [] });
  }
  for (const object of objects.values()) {
    if (object.kind !== 'element') continue;
    const index = indexOf(object.set);
    if (index.set.interval) index.runs.push({ fields: keyRuns(index.set, object.key), element: object });
    else index.values.set(hex(elementKey(index.set, object.key).start), object);
  }

  function indexOf(name: SetName): IndexedSet {
    const index = sets.get(name);
    if (index === undefined) throw new Error(`Cannot look up set "${name}": is absent, expected it in the table`);
    return index;
  }

  return {
    find: (name, key) => {
      const { set, values, runs } = indexOf(name);
      if (!set.interval) return values.get(hex(elementKey(set, key).start));
      const wanted = keyRuns(set, key);
      const holds = ({ fields }: IndexedSet['runs'][number]): boolean =>
        fields.every(({ first, last }, i) => {
          const value = wanted[i]?.first;
          return value !== undefined && Buffer.compare(first, value) <= 0 && Buffer.compare(value, last) <= 0;
        });
      return runs.find(holds)?.element;
    },
  };
}

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
