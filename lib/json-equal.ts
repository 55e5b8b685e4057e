// Equality of plain data, for "did anything change": objects by their fields in any order, lists by position.

/** Whether two JSON-able values say the same; a field that is `undefined` counts as absent. */
export function jsonEqual(a: unknown, b: unknown): boolean {
  if (a === b) return true;
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (Array.isArray(a) || Array.isArray(b)) {
    return Array.isArray(a) && Array.isArray(b) && a.length === b.length && a.every((x, i) => jsonEqual(x, b[i]));
  }
  const left = fieldsOf(a);
  const right = new Map(fieldsOf(b));
  return left.length === right.size && left.every(([key, value]) => right.has(key) && jsonEqual(value, right.get(key)));
}

const fieldsOf = (value: object): readonly [string, unknown][] =>
  Object.entries(value).filter(([, field]) => field !== undefined);
