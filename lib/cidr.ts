// CIDR blocks as canonical text (host bits masked), and the range algebra that pools, ipBlocks and import filters need.
import type { Brand } from './brand.ts';
import {
  type Family,
  familyBits,
  type Ip,
  ipFamily,
  ipFromBigInt,
  ipToBigInt,
  ipv4FromNumber,
  ipv4ToNumber,
  parseIp,
} from './ip.ts';
import { err, ok, type Result } from './result.ts';

/** A canonical `address/length` whose host bits are zero. */
export type Cidr = Brand<string, 'Cidr'>;

/** An inclusive run of addresses of one family. */
export type IpRange = { readonly family: Family; readonly first: bigint; readonly last: bigint };

/**
 * Reads `address/length`. Host bits are masked, and leading zeros of IPv4 octets are read as decimal, because old API
 * objects may carry both (Kubernetes `ParseCIDRSloppy`).
 */
export function parseCidr(text: string): Result<Cidr> {
  const match = /^([^/]+)\/(\d{1,3})$/.exec(text);
  const address = match?.[1]?.replace(/^(0+(?=\d))|(?<=\.)0+(?=\d)/g, '');
  const ip = parseIp(address ?? '');
  if (!ip.ok) return err(`Cannot parse CIDR "${text}": expected ADDRESS/LENGTH`);
  const length = Number(match?.[2]);
  const bits = familyBits(ipFamily(ip.value));
  if (length > bits) return err(`Cannot parse CIDR "${text}": prefix length ${length}, expected at most ${bits}`);
  return ok(cidrOf(ip.value, length));
}

/** The block of `length` bits around an address. `length` must be within the family's bits. */
export function cidrOf(ip: Ip, length: number): Cidr {
  const family = ipFamily(ip);
  if (family === 4) {
    // A shift by 32 bits would be one by none.
    const mask = length === 0 ? 0 : -1 << (32 - length);
    return `${ipv4FromNumber((ipv4ToNumber(ip) & mask) >>> 0)}/${length}` as Cidr;
  }
  const host = BigInt(familyBits(family) - length);
  return `${ipFromBigInt((ipToBigInt(ip) >> host) << host, family)}/${length}` as Cidr;
}

export const cidrFamily = (cidr: Cidr): Family => (cidr.includes(':') ? 6 : 4);

export const cidrLength = (cidr: Cidr): number => Number(cidr.slice(cidr.indexOf('/') + 1));

/** The network address. */
export const cidrAddress = (cidr: Cidr): Ip => cidr.slice(0, cidr.indexOf('/')) as Ip;

export function cidrRange(cidr: Cidr): IpRange {
  const family = cidrFamily(cidr);
  const first = ipToBigInt(cidrAddress(cidr));
  return { family, first, last: first + (1n << BigInt(familyBits(family) - cidrLength(cidr))) - 1n };
}

/** Number of addresses. */
export const cidrSize = (cidr: Cidr): bigint => 1n << BigInt(familyBits(cidrFamily(cidr)) - cidrLength(cidr));

/** Every address of it, in order. @throws RangeError above 65,536 of them */
export function cidrAddresses(cidr: Cidr): readonly Ip[] {
  const { family, first } = cidrRange(cidr);
  const size = cidrSize(cidr);
  if (size > 65_536n) throw new RangeError(`Cannot list the addresses of "${cidr}": ${size} of them, at most 65536`);
  return Array.from({ length: Number(size) }, (_, index) => ipFromBigInt(first + BigInt(index), family));
}

export function cidrContains(cidr: Cidr, ip: Ip): boolean {
  if (cidrFamily(cidr) !== ipFamily(ip)) return false;
  if (cidrFamily(cidr) === 4) return cidrOf(ip, cidrLength(cidr)) === cidr;
  const { first, last } = cidrRange(cidr);
  const value = ipToBigInt(ip);
  return first <= value && value <= last;
}

/** Whether `inner` lies in `outer`; a block contains itself. */
export function cidrContainsCidr(outer: Cidr, inner: Cidr): boolean {
  return cidrLength(inner) >= cidrLength(outer) && cidrContains(outer, cidrAddress(inner));
}

export const cidrOverlaps = (a: Cidr, b: Cidr): boolean => cidrContainsCidr(a, b) || cidrContainsCidr(b, a);

/** `base` without `holes`, as sorted disjoint ranges; holes of the other family change nothing. */
export function subtractRanges(base: IpRange, holes: readonly IpRange[]): readonly IpRange[] {
  const sorted = holes.filter((hole) => hole.family === base.family).sort((a, b) => (a.first < b.first ? -1 : 1));
  const left: IpRange[] = [];
  let next = base.first;
  for (const hole of sorted) {
    if (hole.first > base.last) break;
    if (hole.first > next) left.push({ family: base.family, first: next, last: hole.first - 1n });
    if (hole.last >= next) next = hole.last + 1n;
  }
  if (next <= base.last) left.push({ family: base.family, first: next, last: base.last });
  return left;
}

/** Sorted, disjoint ranges that cover the same addresses; touching neighbours are joined. One family only. */
export function mergeRanges(ranges: readonly IpRange[]): readonly IpRange[] {
  const merged: IpRange[] = [];
  for (const range of [...ranges].sort((a, b) => (a.first < b.first ? -1 : a.first > b.first ? 1 : 0))) {
    const last = merged.at(-1);
    if (last !== undefined && range.first <= last.last + 1n) {
      if (range.last > last.last) merged[merged.length - 1] = { ...last, last: range.last };
    } else merged.push(range);
  }
  return merged;
}
