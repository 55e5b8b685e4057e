// Addresses that no pod gets by itself, in the two forms that are asked for: one address, and the ranges.
import { type Cidr, cidrContains, cidrRange, type IpRange, mergeRanges } from '../lib/cidr.ts';
import type { Ip } from '../lib/ip.ts';

export type Reserved = {
  readonly has: (ip: Ip) => boolean;
  /** Sorted and disjoint within each family. */
  readonly ranges: () => readonly IpRange[];
};

/** Follows what `current` returns; the ranges are computed once for each array. */
export function createReserved(current: () => readonly Cidr[]): Reserved {
  let seen: readonly Cidr[] = [];
  let merged: readonly IpRange[] = [];
  return {
    has: (ip) => current().some((cidr) => cidrContains(cidr, ip)),
    ranges: () => {
      const now = current();
      if (now !== seen) {
        seen = now;
        const all = now.map(cidrRange);
        merged = ([4, 6] as const).flatMap((family) => mergeRanges(all.filter((range) => range.family === family)));
      }
      return merged;
    },
  };
}
