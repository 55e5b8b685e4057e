// IP addresses as canonical text (dotted quad; RFC 5952 for IPv6), so that equality is string equality and an
// address is a Map key and JSON at once. Arithmetic goes through bigint.
import { isIPv4, isIPv6 } from 'node:net';
import type { Brand } from './brand.ts';
import { err, ok, type Result } from './result.ts';

/** A canonical IPv4 or IPv6 address without zone or prefix length. */
export type Ip = Brand<string, 'Ip'>;

/** Address family by its usual number. */
export type Family = 4 | 6;

/** Number of address bits of a family. */
export const familyBits = (family: Family): 32 | 128 => (family === 4 ? 32 : 128);

/** Reads an address as people write it; IPv4-mapped IPv6 and zones are refused. */
export function parseIp(text: string): Result<Ip> {
  if (isIPv4(text)) return ok(text as Ip);
  if (!isIPv6(text) || text.includes('%')) return err(`Cannot parse address "${text}": expected IPv4 or IPv6`);
  const value = v6ToBigInt(text);
  if (value >> 32n === 0xffffn) return err(`Cannot parse address "${text}": IPv4-mapped IPv6, expected plain IPv4`);
  return ok(formatV6(value) as Ip);
}

export const ipFamily = (ip: Ip): Family => (ip.includes(':') ? 6 : 4);

/** The address as an unsigned number. */
export function ipToBigInt(ip: Ip): bigint {
  if (ipFamily(ip) === 6) return v6ToBigInt(ip);
  let value = 0;
  for (const part of ip.split('.')) value = value * 256 + Number(part);
  return BigInt(value);
}

/** @throws RangeError when the number does not fit the family */
export function ipFromBigInt(value: bigint, family: Family): Ip {
  if (value < 0n || value >> BigInt(familyBits(family)) !== 0n) {
    throw new RangeError(`Cannot make an IPv${family} address of ${value}: out of range`);
  }
  if (family === 6) return formatV6(value) as Ip;
  const n = Number(value);
  return `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}` as Ip;
}

/** The address in network byte order: 4 or 16 bytes. */
export function ipToBytes(ip: Ip): Uint8Array {
  const bytes = new Uint8Array(familyBits(ipFamily(ip)) / 8);
  let value = ipToBigInt(ip);
  for (let i = bytes.length - 1; i >= 0; i--) {
    bytes[i] = Number(value & 255n);
    value >>= 8n;
  }
  return bytes;
}

/** @throws RangeError unless there are 4 or 16 bytes */
export function ipFromBytes(bytes: Uint8Array): Ip {
  if (bytes.length !== 4 && bytes.length !== 16) {
    throw new RangeError(`Cannot read an address of ${bytes.length} bytes: expected 4 or 16`);
  }
  let value = 0n;
  for (const byte of bytes) value = (value << 8n) | BigInt(byte);
  return ipFromBigInt(value, bytes.length === 4 ? 4 : 6);
}

/** Numeric order; IPv4 before IPv6. */
export function compareIp(a: Ip, b: Ip): number {
  const fa = ipFamily(a);
  const fb = ipFamily(b);
  if (fa !== fb) return fa - fb;
  const va = ipToBigInt(a);
  const vb = ipToBigInt(b);
  return va < vb ? -1 : va > vb ? 1 : 0;
}

function v6ToBigInt(text: string): bigint {
  const [head = '', tail] = expandV4Tail(text).split('::');
  const left = head === '' ? [] : head.split(':');
  const right = tail === undefined || tail === '' ? [] : tail.split(':');
  const zeros = tail === undefined ? 0 : 8 - left.length - right.length;
  let value = 0n;
  for (const group of [...left, ...Array<string>(zeros).fill('0'), ...right]) {
    value = (value << 16n) | BigInt(Number.parseInt(group, 16));
  }
  return value;
}

function expandV4Tail(text: string): string {
  const at = text.lastIndexOf(':');
  const tail = text.slice(at + 1);
  if (!tail.includes('.')) return text;
  const [a = 0, b = 0, c = 0, d = 0] = tail.split('.').map(Number);
  return `${text.slice(0, at + 1)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

// RFC 5952 section 4: lower case, no leading zeros, the first longest run of two or more zero groups is `::`.
function formatV6(value: bigint): string {
  const groups: string[] = [];
  for (let i = 7n; i >= 0n; i--) groups.push(((value >> (i * 16n)) & 0xffffn).toString(16));
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && groups[i + run] === '0') run++;
    if (run > length) {
      start = i;
      length = run;
    }
    i += run;
  }
  if (start < 0) return groups.join(':');
  return `${groups.slice(0, start).join(':')}::${groups.slice(start + length).join(':')}`;
}
