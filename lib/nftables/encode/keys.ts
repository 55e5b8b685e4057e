// Keys of set elements as register bytes. An interval set of one field holds boundaries: the first value of a run, and
// after it the first value behind the run, flagged as end. An interval set of several fields holds first and last.
import type { KeyType, NftSet, Scalar } from '../ast.ts';
import { encodeScalar, isRange, isWildcard, VALUE_TYPES, type ValueType } from '../value-types.ts';

export type ElementKey = {
  readonly start: Uint8Array;
  /** First value behind the run. Absent in an interval set: the run goes on to the last value of the type. */
  readonly end?: Uint8Array;
  /** Last value, of concatenations. */
  readonly last?: Uint8Array;
};

/** @throws Error when the key does not fit the set */
export function elementKey(set: SetShape, key: readonly Scalar[]): ElementKey {
  const [type, scalar] = [set.keyTypes[0], key[0]];
  if (type !== undefined && scalar !== undefined && key.length === 1 && set.keyTypes.length === 1) {
    return set.interval ? boundaries(type, scalar) : { start: encodeScalar(type, scalar) };
  }
  const runs = keyRuns(set, key);
  const start = concatenate(runs.map(({ first }) => first));
  return set.interval ? { start, last: concatenate(runs.map(({ last }) => last)) } : { start };
}

export type SetShape = Pick<NftSet, 'name' | 'keyTypes' | 'interval'>;

/** First and last value of each field. @throws Error when the key does not fit the set */
export function keyRuns(
  set: SetShape,
  key: readonly Scalar[],
): readonly { readonly first: Uint8Array; readonly last: Uint8Array }[] {
  if (key.length !== set.keyTypes.length) {
    throw new Error(`Cannot use element of set "${set.name}": ${key.length} fields, expected ${set.keyTypes.length}`);
  }
  return set.keyTypes.map((type, i) => run(type, key[i] ?? '', set.interval));
}

/** The run of one field as boundaries. @throws Error when the scalar is not of the type */
export function boundaries(type: ValueType, scalar: Scalar): ElementKey {
  const { first, last } = run(type, scalar, true);
  const end = successor(last);
  return end === undefined ? { start: first } : { start: first, end };
}

/** Bytes of a field inside a concatenation: whole words. */
export const paddedBytes = (type: KeyType): number => (VALUE_TYPES[type].bytes + 3) & ~3;

/** Length of a set's key in bytes. */
export const keyBytes = (types: readonly KeyType[]): number =>
  types.length === 1 && types[0] !== undefined
    ? VALUE_TYPES[types[0]].bytes
    : types.reduce((sum, type) => sum + paddedBytes(type), 0);

/** The next value in byte order, or `undefined` after the last. */
export function successor(bytes: Uint8Array): Uint8Array | undefined {
  const next = Uint8Array.from(bytes);
  for (let i = next.length - 1; i >= 0; i--) {
    const value = next[i] ?? 0;
    next[i] = (value + 1) & 0xff;
    if (value !== 0xff) return next;
  }
  return undefined;
}

/** The value before in byte order; of zero the last. */
export function predecessor(bytes: Uint8Array): Uint8Array {
  const previous = Uint8Array.from(bytes);
  for (let i = previous.length - 1; i >= 0; i--) {
    const value = previous[i] ?? 0;
    previous[i] = (value - 1) & 0xff;
    if (value !== 0) break;
  }
  return previous;
}

function run(
  type: ValueType,
  scalar: Scalar,
  interval: boolean,
): { readonly first: Uint8Array; readonly last: Uint8Array } {
  if (interval && isRange(scalar)) {
    const range = { first: encodeScalar(type, scalar.from), last: encodeScalar(type, scalar.to) };
    if (Buffer.compare(range.first, range.last) > 0) {
      throw new Error(`Cannot use range "${scalar.from}-${scalar.to}": is reversed, expected the lower value first`);
    }
    return range;
  }
  if (interval && isWildcard(type, scalar)) {
    const prefix = Buffer.from(scalar.slice(0, -1));
    const first = new Uint8Array(VALUE_TYPES[type].bytes);
    const last = new Uint8Array(first.length).fill(0xff);
    first.set(prefix);
    last.set(prefix);
    return { first, last };
  }
  const value = encodeScalar(type, scalar);
  return { first: value, last: value };
}

function concatenate(fields: readonly Uint8Array[]): Uint8Array {
  const padded = fields.map((field) => (field.length + 3) & ~3);
  const bytes = new Uint8Array(padded.reduce((sum, length) => sum + length, 0));
  let at = 0;
  fields.forEach((field, i) => {
    bytes.set(field, at);
    at += padded[i] ?? 0;
  });
  return bytes;
}
