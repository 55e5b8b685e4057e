// Register bytes of set keys back to scalars, the inverse of encode/keys.ts.
import type { KeyType, Scalar } from '../ast.ts';
import { paddedBytes, predecessor } from '../encode/keys.ts';
import { decodeScalar, VALUE_TYPES, type ValueType } from '../value-types.ts';

/** A run from boundaries; without `end` it goes on to the last value. */
export function decodeRun(type: ValueType, start: Uint8Array, end: Uint8Array | undefined): Scalar {
  const first = start.subarray(0, VALUE_TYPES[type].bytes);
  const last = end === undefined ? new Uint8Array(first.length).fill(0xff) : predecessor(end.subarray(0, first.length));
  return runScalar(type, first, last);
}

/** The fields of a concatenation; `last` of interval sets. */
export function decodeFields(types: readonly KeyType[], first: Uint8Array, last?: Uint8Array): readonly Scalar[] {
  let at = 0;
  return types.map((type) => {
    const from = first.subarray(at, at + VALUE_TYPES[type].bytes);
    const to = last?.subarray(at, at + VALUE_TYPES[type].bytes) ?? from;
    at += paddedBytes(type);
    return runScalar(type, from, to);
  });
}

function runScalar(type: ValueType, first: Uint8Array, last: Uint8Array): Scalar {
  if (Buffer.compare(first, last) === 0) return decodeScalar(type, first);
  if (type === 'ifname') return `${decodeScalar(type, first)}*`;
  return { from: decodeScalar(type, first), to: decodeScalar(type, last) } as Scalar;
}

/**
 * Boundaries of one interval set, in any order, as runs. An end without a start before it is nothing (nft(8) puts one
 * at zero); a start behind a start ends the first.
 */
export function pairBoundaries<T extends { readonly start: Uint8Array; readonly isEnd: boolean }>(
  boundaries: readonly T[],
): readonly { readonly element: T; readonly end?: Uint8Array }[] {
  const sorted = [...boundaries].sort((a, b) => Buffer.compare(a.start, b.start) || Number(b.isEnd) - Number(a.isEnd));
  const runs: { element: T; end?: Uint8Array }[] = [];
  let open: T | undefined;
  for (const boundary of sorted) {
    if (open !== undefined) runs.push({ element: open, end: boundary.start });
    open = boundary.isEnd ? undefined : boundary;
  }
  if (open !== undefined) runs.push({ element: open });
  return runs;
}
