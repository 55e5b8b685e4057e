// The netlink wire format: message header and attributes, both ways. Pure. Numbers are in host byte order unless a
// name says otherwise (man 7 netlink, include/uapi/linux/netlink.h).

/** `struct nlmsghdr` flags (NLM_F_*). */
export const NLM_F = {
  REQUEST: 0x1,
  MULTI: 0x2,
  ACK: 0x4,
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
const NESTED = 0x8000;

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
  const bytes = new Uint8Array(align(HEADER_LENGTH + payload.length));
  const view = new DataView(bytes.buffer);
  view.setUint32(0, HEADER_LENGTH + payload.length, LITTLE_ENDIAN);
  view.setUint16(4, type, LITTLE_ENDIAN);
  view.setUint16(6, flags, LITTLE_ENDIAN);
  view.setUint32(8, sequence, LITTLE_ENDIAN);
  bytes.set(payload, HEADER_LENGTH);
  return bytes;
}

/** All messages of a datagram. A length that does not fit ends the walk: what came before it is still good. */
export function decodeMessages(bytes: Uint8Array): readonly NetlinkMessage[] {
  const messages: NetlinkMessage[] = [];
  const view = viewOf(bytes);
  for (let at = 0; at + HEADER_LENGTH <= bytes.length; ) {
    const length = view.getUint32(at, LITTLE_ENDIAN);
    if (length < HEADER_LENGTH || at + length > bytes.length) break;
    messages.push({
      type: view.getUint16(at + 4, LITTLE_ENDIAN),
      flags: view.getUint16(at + 6, LITTLE_ENDIAN),
      sequence: view.getUint32(at + 8, LITTLE_ENDIAN),
      port: view.getUint32(at + 12, LITTLE_ENDIAN),
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
  const view = new DataView(bytes.buffer);
  view.setUint16(0, length, LITTLE_ENDIAN);
  view.setUint16(2, type, LITTLE_ENDIAN);
  bytes.set(data, 4);
  return bytes;
}

/** An attribute that holds attributes. */
export const nested = (type: number, ...children: readonly Uint8Array[]): Uint8Array =>
  attribute(type | NESTED, concatBytes(children));

export const u32Attribute = (type: number, value: number): Uint8Array => attribute(type, u32(value));

/** A NUL-terminated string. */
export const stringAttribute = (type: number, value: string): Uint8Array =>
  attribute(type, new TextEncoder().encode(`${value}\0`));

/** Attributes by type; of a repeated type the last one counts. Stops at the first malformed one. */
export function decodeAttributes(bytes: Uint8Array): ReadonlyMap<number, Uint8Array> {
  const attributes = new Map<number, Uint8Array>();
  const view = viewOf(bytes);
  for (let at = 0; at + 4 <= bytes.length; ) {
    const length = view.getUint16(at, LITTLE_ENDIAN);
    if (length < 4 || at + length > bytes.length) break;
    attributes.set(view.getUint16(at + 2, LITTLE_ENDIAN) & ATTRIBUTE_TYPE_MASK, bytes.subarray(at + 4, at + length));
    at += align(length);
  }
  return attributes;
}

export function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, LITTLE_ENDIAN);
  return bytes;
}

/** @throws RangeError when there are too few bytes, as the other readers */
export const readU32 = (bytes: Uint8Array, at = 0): number => viewOf(bytes).getUint32(at, LITTLE_ENDIAN);

export const readI32 = (bytes: Uint8Array, at = 0): number => viewOf(bytes).getInt32(at, LITTLE_ENDIAN);

export const readU16 = (bytes: Uint8Array, at = 0): number => viewOf(bytes).getUint16(at, LITTLE_ENDIAN);

/** Text up to the first NUL. */
export function readString(bytes: Uint8Array): string {
  const end = bytes.indexOf(0);
  return new TextDecoder().decode(end < 0 ? bytes : bytes.subarray(0, end));
}

/** A fixed C structure: fields of 1, 2 or 4 bytes in order, without implicit padding. */
export function struct(...fields: readonly (readonly [1 | 2 | 4, number])[]): Uint8Array {
  const bytes = new Uint8Array(fields.reduce((sum, [size]) => sum + size, 0));
  const view = new DataView(bytes.buffer);
  let at = 0;
  for (const [size, value] of fields) {
    if (size === 1) view.setUint8(at, value);
    else if (size === 2) view.setUint16(at, value, LITTLE_ENDIAN);
    else view.setUint32(at, value, LITTLE_ENDIAN);
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

const viewOf = (bytes: Uint8Array): DataView => new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
