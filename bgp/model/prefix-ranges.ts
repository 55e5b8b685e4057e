// What a rule of a BGPFilter says about prefixes, as ranges of which one must hold the path's: the negations too, since a
// speaker's prefix sets only know "one of these".
import type { BgpFilterRule } from '../../datastore/resources/bgp-filter.ts';
import { type Cidr, cidrAddress, cidrLength, cidrOf } from '../../lib/cidr.ts';
import { type Family, familyBits, type Ip, ipFromBigInt, ipToBigInt } from '../../lib/ip.ts';
import type { PrefixRange } from './route-policy.ts';

type PrefixMatch = Pick<BgpFilterRule, 'cidr' | 'matchOperator' | 'prefixLength'>;

/** Every prefix of the family. */
export const wholeFamily = (family: Family): PrefixRange => ({
  cidr: cidrOf(family === 4 ? ('0.0.0.0' as Ip) : ('::' as Ip), 0),
  min: 0,
  max: familyBits(family),
});

/** Disjoint; empty: no prefix fits. */
export function prefixRanges(
  { cidr, matchOperator, prefixLength }: PrefixMatch,
  family: Family,
): readonly PrefixRange[] {
  if (cidr === undefined) return [wholeFamily(family)];
  const own = cidrLength(cidr);
  const exact = matchOperator === 'Equal' || matchOperator === 'NotEqual';
  const min = Math.max(own, prefixLength?.min ?? 0);
  const max = Math.min(exact ? own : familyBits(family), prefixLength?.max ?? familyBits(family));
  const inside: PrefixRange = { cidr, min, max };
  if (matchOperator === 'Equal' || matchOperator === 'In') return min <= max ? [inside] : [];
  return complement(inside, family);
}

//   /0 ─┬─ sibling                     every ancestor of the range's CIDR alone, with its own length;
//       └─ /1 ─┬─ /2 … CIDR            every sibling on the way down with all that it holds;
//              └─ sibling              inside of CIDR the lengths below `min` and above `max`
function complement({ cidr, min, max }: PrefixRange, family: Family): readonly PrefixRange[] {
  const bits = familyBits(family);
  const own = cidrLength(cidr);
  const address = cidrAddress(cidr);
  const ranges: PrefixRange[] = [];
  for (let length = 0; length < own; length++) {
    ranges.push({ cidr: cidrOf(address, length), min: length, max: length });
    ranges.push({ cidr: siblingOf(address, length + 1, family), min: length + 1, max: bits });
  }
  if (min > max) return [...ranges, { cidr, min: own, max: bits }];
  if (own < min) ranges.push({ cidr, min: own, max: min - 1 });
  if (max < bits) ranges.push({ cidr, min: max + 1, max: bits });
  return ranges;
}

/** The block of this length whose last bit differs. */
function siblingOf(address: Ip, length: number, family: Family): Cidr {
  const bit = 1n << BigInt(familyBits(family) - length);
  return cidrOf(ipFromBigInt(ipToBigInt(address) ^ bit, family), length);
}
