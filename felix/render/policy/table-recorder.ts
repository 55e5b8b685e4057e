// The wanted objects of a table, with a record of what differs from before the step in progress.
import { type NftChange, type NftKey, type NftObject, nftKey } from '../../../lib/nftables/ast.ts';

export type TableRecorder = {
  readonly objects: ReadonlyMap<NftKey, NftObject>;
  readonly put: (object: NftObject) => void;
  readonly drop: (key: NftKey) => void;
  /** What changed since the last call; an object that came back as it was is no change. */
  readonly drain: () => readonly NftChange[];
};

export function createTableRecorder(initial: Iterable<NftObject>): TableRecorder {
  const objects = new Map<NftKey, NftObject>();
  for (const object of initial) objects.set(nftKey(object), object);
  const before = new Map<NftKey, NftObject | undefined>();
  const note = (key: NftKey): void => {
    if (!before.has(key)) before.set(key, objects.get(key));
  };
  return {
    objects,
    put: (object) => {
      const key = nftKey(object);
      note(key);
      objects.set(key, object);
    },
    drop: (key) => {
      note(key);
      objects.delete(key);
    },
    drain: () => {
      const changes: NftChange[] = [];
      for (const [key, old] of before) {
        const after = objects.get(key);
        if (!sameObject(old, after)) changes.push({ key, before: old, after });
      }
      before.clear();
      return changes;
    },
  };
}

const sameObject = (a: NftObject | undefined, b: NftObject | undefined): boolean =>
  a === b || (a !== undefined && b !== undefined && JSON.stringify(a) === JSON.stringify(b));
