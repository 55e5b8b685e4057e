// Netlink messages and their attributes (struct nlattr), written into one growing buffer and read back from bytes.
// Numbers are big-endian, as nf_tables has them; lengths and types are in host order.
import { HEADER_BYTES, NFPROTO } from './uapi.ts';

const NLA_F_NESTED = 0x8000;
const NLA_TYPE_MASK = 0x3fff;

export type AttributeWriter = {
  /** Bytes written so far. */
  readonly length: () => number;
  readonly openMessage: (type: number, flags: number, sequence: number, resourceId?: number) => number;
  readonly closeMessage: (at: number) => void;
  readonly open: (type: number) => number;
  /** @throws RangeError when the attribute outgrows its 16-bit length */
  readonly close: (at: number) => void;
  readonly bytes: (type: number, value: Uint8Array) => void;
  /** Zero-terminated. */
  readonly text: (type: number, value: string) => void;
  readonly u8: (type: number, value: number) => void;
  readonly u16: (type: number, value: number) => void;
  readonly u32: (type: number, value: number) => void;
  readonly u64: (type: number, value: bigint) => void;
  /** The bytes written; valid until the next write. */
  readonly view: () => Uint8Array;
  readonly reset: () => void;
};

export function createAttributeWriter(firstBytes = 64 * 1024): AttributeWriter {
  let buffer = Buffer.alloc(firstBytes);
  let length = 0;

  /** Room for one attribute, header written; the place of its value. May replace `buffer`, so call it first. */
  const reserve = (type: number, valueBytes: number): number => {
    const at = grow(4 + valueBytes);
    buffer.writeUInt16LE(4 + valueBytes, at);
    buffer.writeUInt16LE(type, at + 2);
    return at + 4;
  };
  const grow = (bytes: number): number => {
    const at = length;
    length += (bytes + 3) & ~3;
    if (length > buffer.length) {
      const larger = Buffer.alloc(Math.max(buffer.length * 2, length));
      buffer.copy(larger, 0, 0, at);
      buffer = larger;
    }
    // The padding must be zero, and the buffer is used again.
    if (length > at) buffer.writeUInt32LE(0, length - 4);
    return at;
  };

  return {
    length: () => length,
    openMessage: (type, flags, sequence, resourceId = 0) => {
      const at = grow(HEADER_BYTES);
      buffer.fill(0, at, at + HEADER_BYTES);
      buffer.writeUInt16LE(type, at + 4);
      buffer.writeUInt16LE(flags, at + 6);
      buffer.writeUInt32LE(sequence, at + 8);
      buffer.writeUInt8(NFPROTO.inet, at + 16);
      buffer.writeUInt16BE(resourceId, at + 18);
      return at;
    },
    closeMessage: (at) => {
      buffer.writeUInt32LE(length - at, at);
    },
    open: (type) => reserve(type | NLA_F_NESTED, 0) - 4,
    close: (at) => {
      if (length - at > 0xffff) throw new RangeError(`Cannot encode an attribute of ${length - at} bytes: over 65535`);
      buffer.writeUInt16LE(length - at, at);
    },
    bytes: (type, value) => {
      const at = reserve(type, value.length);
      buffer.set(value, at);
    },
    text: (type, value) => {
      const bytes = Buffer.byteLength(value);
      const at = reserve(type, bytes + 1);
      buffer.write(value, at, bytes);
      buffer.writeUInt8(0, at + bytes);
    },
    u8: (type, value) => {
      const at = reserve(type, 1);
      buffer.writeUInt8(value, at);
    },
    u16: (type, value) => {
      const at = reserve(type, 2);
      buffer.writeUInt16BE(value, at);
    },
    u32: (type, value) => {
      const at = reserve(type, 4);
      buffer.writeUInt32BE(value >>> 0, at);
    },
    u64: (type, value) => {
      const at = reserve(type, 8);
      buffer.writeBigUInt64BE(value, at);
    },
    view: () => buffer.subarray(0, length),
    reset: () => {
      length = 0;
    },
  };
}

/** The attributes of one level by type; of repeated types the last. */
export type Attributes = ReadonlyMap<number, Buffer>;

/** @throws RangeError on a broken length */
export function readAttributes(bytes: Uint8Array, from = 0): Attributes {
  const attributes = new Map<number, Buffer>();
  const buffer = viewOf(bytes);
  // Not by walkAttributes: a large table is some hundred thousand attributes, and a generator costs as much as the rest.
  for (let at = from; at + 4 <= buffer.length; ) {
    const length = lengthAt(buffer, at);
    attributes.set(buffer.readUInt16LE(at + 2) & NLA_TYPE_MASK, buffer.subarray(at + 4, at + length));
    at += (length + 3) & ~3;
  }
  return attributes;
}

/** The attributes of one level in order. @throws RangeError on a broken length */
export function* walkAttributes(
  bytes: Uint8Array,
  from = 0,
): Generator<{ readonly type: number; readonly value: Buffer; readonly at: number }> {
  const buffer = viewOf(bytes);
  for (let at = from; at + 4 <= buffer.length; ) {
    const length = lengthAt(buffer, at);
    yield { type: buffer.readUInt16LE(at + 2) & NLA_TYPE_MASK, value: buffer.subarray(at + 4, at + length), at };
    at += (length + 3) & ~3;
  }
}

const viewOf = (bytes: Uint8Array): Buffer =>
  Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);

function lengthAt(buffer: Buffer, at: number): number {
  const length = buffer.readUInt16LE(at);
  if (length >= 4 && at + length <= buffer.length) return length;
  throw new RangeError(`Cannot read a netlink attribute of ${length} bytes: expected 4 to ${buffer.length - at}`);
}

/** `absent` when there is no such attribute. */
export function readU32(attributes: Attributes, type: number, absent = 0): number {
  const value = attributes.get(type);
  return value === undefined || value.length < 4 ? absent : value.readUInt32BE();
}

/** The text without its terminating zero; empty when absent. */
export function readText(attributes: Attributes, type: number): string {
  const value = attributes.get(type);
  if (value === undefined) return '';
  const end = value.indexOf(0);
  return value.toString('utf8', 0, end < 0 ? value.length : end);
}
