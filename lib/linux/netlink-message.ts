// The netlink wire format: message header and attributes, both ways. Pure. Numbers are in host byte order unless a
// name says otherwise (man 7 netlink, include/uapi/linux/netlink.h).

/** `struct nlmsghdr` flags (NLM_F_*). */
export const NLM_F = {
  REQUEST: 0x1,
  MULTI: 0x2,
  ACK: 0x4,
  ECHO: 0x8,
  DUMP_INTR: 0x10,
  REPLACE: 0x100,
  EXCL: 0x200,
  DUMP: 0x300,
  CREATE: 0x400,
} as const satisfies Record<string, number>;

/** Control message types (NLMSG_*). */
export const NLMSG = { NOOP: 1, ERROR: 2, DONE: 3 } as const satisfies Record<string, number>;

const HEADER_LENGTH = 16;
const LITTLE_ENDIAN = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
const ATTRIBUTE_TYPE_MASK = 0x3fff;
const UTF8 = new TextDecoder();
/** Bytes of a text up to which putting it together is quicker than a decoder. */
const SHORT = 16;

/** A parsed message; `payload` begins after the netlink header. `port` is the sender's, 0 for the kernel itself. */
export type NetlinkMessage = {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly port: number;
  readonly payload: Uint8Array;
};

/** One message, padded to four bytes, so that several can follow each other in one datagram. */
export function encodeMessage(type: number, flags: number, sequence: number, payload: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(messageLength(payload));
  writeMessage(bytes, 0, type, flags, sequence, payload);
  return bytes;
}

/** Bytes of the message with this payload, padding included. */
export const messageLength = (payload: Uint8Array): number => align(HEADER_LENGTH + payload.length);

/** As `encodeMessage`, into `bytes` from `at` on. */
export function writeMessage(
  bytes: Uint8Array,
  at: number,
  type: number,
  flags: number,
  sequence: number,
  payload: Uint8Array,
): void {
  writeU32(bytes, at, HEADER_LENGTH + payload.length);
  writeU16(bytes, at + 4, type);
  writeU16(bytes, at + 6, flags);
  writeU32(bytes, at + 8, sequence);
  bytes.set(payload, at + HEADER_LENGTH);
}

/** All messages of a datagram. A length that does not fit ends the walk: what came before it is still good. */
export function decodeMessages(bytes: Uint8Array): readonly NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  for (let at = 0; at + HEADER_LENGTH <= bytes.length; ) {
    const length = readU32(bytes, at);
    if (length < HEADER_LENGTH || at + length > bytes.length) break;
    messages.push({
      type: readU16(bytes, at + 4),
      flags: readU16(bytes, at + 6),
      sequence: readU32(bytes, at + 8),
      port: readU32(bytes, at + 12),
      payload: bytes.subarray(at + HEADER_LENGTH, at + length),
    });
    at += align(length);
  }
  return messages;
}

/** The attribute `type` holding `data`, padded. @throws RangeError when it is longer than an attribute can be */
export function attribute(type: number, data: Uint8Array): Uint8Array {
  const length = 4 + data.length;
  if (length > 0xffff) throw new RangeError(`Cannot encode netlink attribute ${type}: ${length} bytes, at most 65535`);
  const bytes = new Uint8Array(align(length));
  writeU16(bytes, 0, length);
  writeU16(bytes, 2, type);
  bytes.set(data, 4);
  return bytes;
}

export const u32Attribute = (type: number, value: number): Uint8Array => attribute(type, u32(value));

/** Attributes by type; of a repeated type the last one counts. Stops at the first malformed one. */
export function decodeAttributes(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const attributes = new Map<number, Uint8Array>();
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = readU16(bytes, at);
    if (length < 4 || at + length > bytes.length) break;
    attributes.set(readU16(bytes, at + 2) & ATTRIBUTE_TYPE_MASK, bytes.subarray(at + 4, at + length));
    at += align(length);
  }
  return attributes;
}

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  writeU32(bytes, 0, value);
  return bytes;
}

// Byte by byte, since making a DataView costs more than all the rest of a message. Beyond the end there are zeros.
export function readU32(bytes: Uint8Array, at = 0): number {
  return (readU16(bytes, at + (LITTLE_ENDIAN ? 2 : 0)) * 0x10000 + readU16(bytes, at + (LITTLE_ENDIAN ? 0 : 2))) >>> 0;
}

export const readI32 = (bytes: Uint8Array, at = 0): number => readU32(bytes, at) | 0;

export function readU16(bytes: Uint8Array, at = 0): number {
  const first = bytes[at] ?? 0;
  const second = bytes[at + 1] ?? 0;
  return LITTLE_ENDIAN ? first | (second << 8) : (first << 8) | second;
}

/** Text up to the first NUL. */
export function readString(bytes: Uint8Array): string {
  const found = bytes.indexOf(0);
  const end = found < 0 ? bytes.length : found;
  // Names are short and nearly always of ASCII, for which a decoder takes longer than this.
  if (end > SHORT) return UTF8.decode(bytes.subarray(0, end));
  let text = '';
  for (let at = 0; at < end; at++) {
    const byte = bytes[at] ?? 0;
    if (byte > 0x7f) return UTF8.decode(bytes.subarray(0, end));
    text += String.fromCharCode(byte);
  }
  return text;
}

/** A fixed C structure: fields of 1, 2 or 4 bytes in order, without implicit padding. */
export function struct(...fields: readonly (readonly [1 | 2 | 4, number])[]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((sum, [size]) => sum + size, 0));
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 1) bytes[at] = value;
    else if (size === 2) writeU16(bytes, at, value);
    else writeU32(bytes, at, value);
    at += size;
  }
  return bytes;
}

export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** The next multiple of four, to which messages and attributes are aligned. */
export const align = (length: number): number => (length + 3) & ~3;

function writeU32(bytes: Uint8Array, at: number, value: number): void {
  writeU16(bytes, at + (LITTLE_ENDIAN ? 0 : 2), value & 0xffff);
  writeU16(bytes, at + (LITTLE_ENDIAN ? 2 : 0), value >>> 16);
}

function writeU16(bytes: Uint8Array, at: number, value: number): void {
  bytes[at + (LITTLE_ENDIAN ? 0 : 1)] = value & 0xff;
  bytes[at + (LITTLE_ENDIAN ? 1 : 0)] = value >> 8;
}
