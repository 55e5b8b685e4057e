// Cutting a pool into blocks. A pool may hold millions of blocks, so nothing here lists more of them than it is asked for.
import { createHash } from 'node:crypto';
import { blockSizeOf, type IpPool } from '../../datastore/resources/ip-pool.ts';
import {
  type Cidr,
  cidrLength,
  cidrOf,
  cidrOverlaps,
  cidrRange,
  type IpRange,
  subtractRanges,
} from '../../lib/cidr.ts';
import { familyBits, type Ip, ipFromBigInt } from '../../lib/ip.ts';

/**
 * Blocks of a pool that overlap none of `taken` and do not lie within `reserved`, lazily, each once. The walk starts at a position derived from the
 * node's name and wraps around, so that nodes that claim at the same moment do not race for the same block.
 */
export function* unclaimedBlocks(
  pool: IpPool,
  node: string,
  taken: readonly Cidr[],
  reserved: readonly IpRange[] = [],
): Generator<Cidr, void> {
  const range = cidrRange(pool.spec.cidr);
  const length = blockSizeOf(pool);
  const step = 1n << BigInt(familyBits(range.family) - length);
  const holes = [
    ...taken.filter((cidr) => cidrOverlaps(cidr, pool.spec.cidr)).map((cidr) => widen(cidrRange(cidr), step)),
    ...reserved.map((each) => narrow(each, step)).filter(({ first, last }) => first <= last),
  ];
  const start = range.first + seedOf(node, (range.last - range.first) / step + 1n) * step;
  const halves = [
    { ...range, first: start },
    { ...range, last: start - 1n },
  ];
  for (const half of halves) {
    for (const gap of subtractRanges(half, holes)) {
      for (let first = gap.first; first <= gap.last; first += step) {
        yield cidrOf(ipFromBigInt(first, range.family), length);
      }
    }
  }
}

/** The block of the pool that an address of the pool lies in. */
export const blockAround = (pool: IpPool, ip: Ip): Cidr => cidrOf(ip, blockSizeOf(pool));

/** Number of blocks that the pool is cut into. */
export const blockCount = (pool: IpPool): bigint => 1n << BigInt(blockSizeOf(pool) - cidrLength(pool.spec.cidr));

/** Position of a node's first choice among `count` blocks. */
function seedOf(node: string, count: bigint): bigint {
  return createHash('sha256').update(node).digest().readBigUInt64BE(0) % count;
}

// A block that is reserved in part still has addresses to give.
const narrow = (range: IpRange, step: bigint): IpRange => ({
  ...range,
  first: ((range.first + step - 1n) / step) * step,
  last: ((range.last + 1n) / step) * step - 1n,
});

// A block of another size (of a pool that was cut differently before) makes every block that it touches unusable.
const widen = (range: IpRange, step: bigint): IpRange => ({
  ...range,
  first: (range.first / step) * step,
  last: (range.last / step) * step + step - 1n,
});
