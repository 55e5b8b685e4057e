// A desired table that remembers which keys changed: the models write it, a driver takes the dirty keys and makes the
// kernel agree. Writing an equal value dirties nothing, so repeats cost nothing.

export type KeyedTable<K, V> = {
  readonly get: (key: K) => V | undefined;
  /** `undefined` removes. */
  readonly set: (key: K, value: V | undefined) => void;
  /** Makes the table hold exactly these entries. */
  readonly replaceAll: (entries: ReadonlyMap<K, V>) => void;
  readonly entries: () => ReadonlyMap<K, V>;
  /** Keys that changed since they were last taken; the caller now owns them. */
  readonly takeDirty: () => ReadonlySet<K>;
  /** Puts a key back, after an effect failed or the outside world changed. */
  readonly markDirty: (key: K) => void;
};

export function createKeyedTable<K, V>(equal: (a: V, b: V) => boolean): KeyedTable<K, V> {
  const values = new Map<K, V>();
  let dirty = new Set<K>();
  const set = (key: K, value: V | undefined): void => {
    const before = values.get(key);
    if (before === undefined ? value === undefined : value !== undefined && equal(before, value)) return;
    if (value === undefined) values.delete(key);
    else values.set(key, value);
    dirty.add(key);
  };
  return {
    get: (key) => values.get(key),
    set,
    replaceAll: (entries) => {
      for (const key of [...values.keys()]) if (!entries.has(key)) set(key, undefined);
      for (const [key, value] of entries) set(key, value);
    },
    entries: () => values,
    takeDirty: () => {
      const taken = dirty;
      dirty = new Set();
      return taken;
    },
    markDirty: (key) => {
      dirty.add(key);
    },
  };
}
