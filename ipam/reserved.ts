// Addresses that no pod gets by itself, in the two forms that are asked for: one address, and the ranges.
import { type Cidr, cidrRange, type IpRange, mergeRanges } from '../lib/cidr.ts';
import { type Family, type Ip, ipFamily, ipToBigInt } from '../lib/ip.ts';

export type Reserved = {
  /** Asked for every address of a block, so that its cost must not grow with the number of reservations. */
  readonly has: (ip: Ip) => boolean;
  /** Sorted and disjoint within each family. */
  readonly ranges: () => readonly IpRange[];
};

type Merged = Readonly<Record<Family, readonly IpRange[]>>;

const NOTHING: Merged = { 4: [], 6: [] };

/** Follows what `current` returns; the ranges are computed once for each array. */
export function createReserved(current: () => readonly Cidr[]): Reserved {
  let seen: readonly Cidr[] = [];
  let merged = NOTHING;
  const now = (): Merged => {
    const cidrs = current();
    if (cidrs !== seen) {
      seen = cidrs;
      const all = cidrs.map(cidrRange);
      const of = (family: Family) => mergeRanges(all.filter((range) => range.family === family));
      merged = { 4: of(4), 6: of(6) };
    }
    return merged;
  };
  return {
    has: (ip) => {
      const ranges = now()[ipFamily(ip)];
      return ranges.length > 0 && isWithin(ranges, ipToBigInt(ip));
    },
    ranges: () => [...now()[4], ...now()[6]],
  };
}

/** Halves what is left until one range remains that could have it. */
function isWithin(ranges: readonly IpRange[], value: bigint): boolean {
  let [low, high] = [0, ranges.length];
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    if ((ranges[middle]?.first ?? value) <= value) low = middle;
    else high = middle;
  }
  const range = ranges[low];
  return range !== undefined && range.first <= value && value <= range.last;
}
