// What must have been so for a while before something is done about it: nothing is believed at first sight, and one look
// that finds it otherwise begins anew.

export type Grace<Key> = {
  /**
   * Those of `found` that every look since `graceMs` ago has found, this one and an earlier one at least. `nowMs` is of a
   * clock that does not jump.
   */
  readonly due: (found: Iterable<Key>, at: { readonly nowMs: number; readonly graceMs: number }) => ReadonlySet<Key>;
};

export function createGrace<Key>(): Grace<Key> {
  let since: ReadonlyMap<Key, number> = new Map();
  return {
    due: (found, { nowMs, graceMs }) => {
      const before = since;
      since = new Map([...found].map((key) => [key, before.get(key) ?? nowMs]));
      return new Set(since.keys().filter((key) => before.has(key) && nowMs - (before.get(key) ?? nowMs) >= graceMs));
    },
  };
}
