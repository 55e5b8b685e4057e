// A map from a key to a set of values, where an empty set is no entry.

export type MultiMap<K, V> = {
  readonly add: (key: K, value: V) => void;
  readonly delete: (key: K, value: V) => void;
  /** A live view; empty when there is none. */
  readonly get: (key: K) => ReadonlySet<V>;
};

export function createMultiMap<K, V>(): MultiMap<K, V> {
  const sets = new Map<K, Set<V>>();
  const none: ReadonlySet<V> = new Set();
  return {
    add: (key, value) => {
      const set = sets.get(key);
      if (set === undefined) sets.set(key, new Set([value]));
      else set.add(value);
    },
    delete: (key, value) => {
      const set = sets.get(key);
      if (set?.delete(value) && set.size === 0) sets.delete(key);
    },
    get: (key) => sets.get(key) ?? none,
  };
}
