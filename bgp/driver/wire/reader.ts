// Reads the protobuf wire format. Every read checks the bounds: bytes from a socket are not trusted.
import { WIRE } from './writer.ts';

/** The bytes are not the protobuf message that was expected. */
export class WireError extends Error {
  override readonly name = 'WireError';
}

export type Reader = {
  readonly done: () => boolean;
  /** The next field. @throws WireError */
  readonly tag: () => { readonly field: number; readonly wire: number };
  /** Unsigned; above 2^53 the nearest number. @throws WireError */
  readonly varint: () => number;
  /** As int32 and int64 are sent. @throws WireError */
  readonly signed: () => number;
  /** A view into the input. @throws WireError */
  readonly bytes: () => Uint8Array;
  /** Passes over a field of that wire type. @throws WireError */
  readonly skip: (wire: number) => void;
};

export function createReader(input: Uint8Array): Reader {
  let at = 0;

  const byte = (): number => {
    const value = input[at];
    if (value === undefined) throw new WireError(`Cannot read message: ends at byte ${at}, expected more`);
    at++;
    return value;
  };
  const advance = (size: number): number => {
    if (at + size > input.length) {
      throw new WireError(
        `Cannot read message: field of ${size} bytes at ${at}, expected at most ${input.length - at}`,
      );
    }
    const start = at;
    at += size;
    return start;
  };
  const varint = (): number => {
    let value = 0;
    for (let scale = 1, i = 0; i < 10; i++, scale *= 128) {
      const part = byte();
      value += (part & 0x7f) * scale;
      if (part < 0x80) return value;
    }
    throw new WireError(`Cannot read message: number before byte ${at} is longer than 10 bytes`);
  };
  const signed = (): number => {
    let value = 0n;
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const part = byte();
      value |= BigInt(part & 0x7f) << shift;
      if (part < 0x80) return Number(BigInt.asIntN(64, value));
    }
    throw new WireError(`Cannot read message: number before byte ${at} is longer than 10 bytes`);
  };
  const bytes = (): Uint8Array => {
    const size = varint();
    const start = advance(size);
    return input.subarray(start, start + size);
  };

  return {
    done: () => at >= input.length,
    tag: () => {
      const value = varint();
      return { field: Math.floor(value / 8), wire: value % 8 };
    },
    varint,
    signed,
    bytes,
    skip: (wire) => {
      if (wire === WIRE.varint) varint();
      else if (wire === WIRE.fixed64) advance(8);
      else if (wire === WIRE.bytes) bytes();
      else if (wire === WIRE.fixed32) advance(4);
      else throw new WireError(`Cannot read message: wire type ${wire} at byte ${at}, expected 0, 1, 2 or 5`);
    },
  };
}
