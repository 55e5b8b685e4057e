// Equal values of many owners kept once. Each object of the datastore comes out of a parser with copies of its own of what
// thousands of others have too: labels, ports, the names of namespaces and nodes.

export type Pool<T> = {
  /** The value that the other owners of the same text have, or else this one. To be released once, with the same text. */
  readonly acquire: (text: string, value: T) => T;
  readonly release: (text: string) => void;
};

export function createPool<T>(): Pool<T> {
  const shared = new Map<string, { readonly value: T; owners: number }>();
  return {
    acquire: (text, value) => {
      const known = shared.get(text);
      if (known !== undefined) {
        known.owners++;
        return known.value;
      }
      shared.set(text, { value, owners: 1 });
      return value;
    },
    release: (text) => {
      const known = shared.get(text);
      if (known === undefined) return;
      known.owners--;
      if (known.owners === 0) shared.delete(text);
    },
  };
}
