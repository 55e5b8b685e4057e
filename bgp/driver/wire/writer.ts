// Writes the protobuf wire format (protobuf.dev, Encoding) into a buffer that grows.

/** Wire types that our messages use. */
export const WIRE = { varint: 0, fixed64: 1, bytes: 2, fixed32: 5 } as const;

export type Writer = {
  readonly tag: (field: number, wire: number) => void;
  /** Unsigned, up to 2^53 - 1, or negative: then as a 64-bit two's complement, as int32 and int64 are sent. */
  readonly varint: (value: number) => void;
  /** Length and content. */
  readonly bytes: (value: Uint8Array) => void;
  readonly finish: () => Uint8Array;
};

export function createWriter(): Writer {
  let buffer = new Uint8Array(64);
  let length = 0;

  const reserve = (size: number): void => {
    if (length + size <= buffer.length) return;
    const grown = new Uint8Array(Math.max(buffer.length * 2, length + size));
    grown.set(buffer.subarray(0, length));
    buffer = grown;
  };
  const varint = (value: number): void => {
    reserve(10);
    if (value < 0) {
      let rest = BigInt.asUintN(64, BigInt(value));
      for (; rest > 0x7fn; rest >>= 7n) buffer[length++] = Number(rest & 0x7fn) | 0x80;
      buffer[length++] = Number(rest);
      return;
    }
    // Division, because shifts cut to 32 bits.
    let rest = value;
    for (; rest > 0x7f; rest = Math.floor(rest / 128)) buffer[length++] = (rest % 128) | 0x80;
    buffer[length++] = rest;
  };

  return {
    varint,
    tag: (field, wire) => varint(field * 8 + wire),
    bytes: (value) => {
      varint(value.length);
      reserve(value.length);
      buffer.set(value, length);
      length += value.length;
    },
    finish: () => buffer.slice(0, length),
  };
}
