// IP addresses as canonical text (dotted quad; RFC 5952 for IPv6), so that equality is string equality and an
// address is a Map key and JSON at once. Arithmetic on both families goes through bigint; what is done for every address of
// a set or route (bytes and back, the number of an IPv4 address) does without, since bigint costs ten times as much.
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
  const groups = v6Groups(text);
  if (isMapped(groups)) return err(`Cannot parse address "${text}": IPv4-mapped IPv6, expected plain IPv4`);
  return ok(formatV6(groups) as Ip);
}

export const ipFamily = (ip: Ip): Family => (ip.includes(':') ? 6 : 4);

/** An IPv4 address as an unsigned number of 32 bits. */
export function ipv4ToNumber(ip: Ip): number {
  let value = 0;
  let octet = 0;
  for (let i = 0; i < ip.length; i++) {
    const code = ip.charCodeAt(i);
    if (code === DOT) {
      value = value * 256 + octet;
      octet = 0;
    } else octet = octet * 10 + code - ZERO;
  }
  return value * 256 + octet;
}

/** The IPv4 address of a number from 0 to 2^32 - 1. */
export const ipv4FromNumber = (n: number): Ip => `${n >>> 24}.${(n >>> 16) & 255}.${(n >>> 8) & 255}.${n & 255}` as Ip;

/** The address as an unsigned number. */
export function ipToBigInt(ip: Ip): bigint {
  if (ipFamily(ip) === 4) return BigInt(ipv4ToNumber(ip));
  let value = 0n;
  for (const group of v6Groups(ip)) value = (value << 16n) | BigInt(group);
  return value;
}

/** @throws RangeError when the number does not fit the family */
export function ipFromBigInt(value: bigint, family: Family): Ip {
  if (value < 0n || value >> BigInt(familyBits(family)) !== 0n) {
    throw new RangeError(`Cannot make an IPv${family} address of ${value}: out of range`);
  }
  if (family === 4) return ipv4FromNumber(Number(value));
  const groups = Array.from({ length: 8 }, (_, i) => Number((value >> BigInt(16 * (7 - i))) & 0xffffn));
  return formatV6(groups) as Ip;
}

/** The address in network byte order: 4 or 16 bytes. */
export function ipToBytes(ip: Ip): Uint8Array {
  if (ipFamily(ip) === 4) {
    const n = ipv4ToNumber(ip);
    return Uint8Array.of(n >>> 24, n >>> 16, n >>> 8, n);
  }
  const bytes = new Uint8Array(16);
  v6Groups(ip).forEach((group, i) => {
    bytes[2 * i] = group >> 8;
    bytes[2 * i + 1] = group;
  });
  return bytes;
}

/** @throws RangeError unless there are 4 or 16 bytes */
export function ipFromBytes(bytes: Uint8Array): Ip {
  if (bytes.length === 4) return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` as Ip;
  if (bytes.length !== 16) {
    throw new RangeError(`Cannot read an address of ${bytes.length} bytes: expected 4 or 16`);
  }
  const groups: number[] = [];
  for (let i = 0; i < 16; i += 2) groups.push(((bytes[i] ?? 0) << 8) | (bytes[i + 1] ?? 0));
  return formatV6(groups) as Ip;
}

/** Numeric order; IPv4 before IPv6. */
export function compareIp(a: Ip, b: Ip): number {
  const fa = ipFamily(a);
  const fb = ipFamily(b);
  if (fa !== fb) return fa - fb;
  if (fa === 4) return ipv4ToNumber(a) - ipv4ToNumber(b);
  const va = v6Groups(a);
  const vb = v6Groups(b);
  const differing = va.findIndex((group, i) => group !== vb[i]);
  return differing < 0 ? 0 : Math.sign((va[differing] ?? 0) - (vb[differing] ?? 0));
}

const ZERO = 48;
const DOT = 46;

// ::ffff:0:0/96 (RFC 4291 2.5.5.2)
const isMapped = (groups: readonly number[]): boolean =>
  groups[5] === 0xffff && groups.slice(0, 5).every((group) => group === 0);

function v6Groups(text: string): readonly number[] {
  const [head = '', tail] = expandV4Tail(text).split('::');
  const left = head === '' ? [] : head.split(':').map(hex);
  if (tail === undefined) return left;
  const right = tail === '' ? [] : tail.split(':').map(hex);
  return [...left, ...new Array<number>(8 - left.length - right.length).fill(0), ...right];
}

const hex = (text: string): number => Number.parseInt(text, 16);

function expandV4Tail(text: string): string {
  const at = text.lastIndexOf(':');
  const tail = text.slice(at + 1);
  if (!tail.includes('.')) return text;
  const [a = 0, b = 0, c = 0, d = 0] = tail.split('.').map(Number);
  return `${text.slice(0, at + 1)}${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

// RFC 5952 section 4: lower case, no leading zeros, the first longest run of two or more zero groups is `::`.
function formatV6(numbers: readonly number[]): string {
  const groups = numbers.map((group) => group.toString(16));
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
