// The free addresses of one block, first in, first out: an address comes back as late as possible. Addresses that were
// never used go first, in order; then released ones, oldest first. Every address of the block can be used, the first
// and the last too, because pods are routed as single addresses.
import { type Cidr, cidrContains, cidrRange, cidrSize } from '../../lib/cidr.ts';
import { type Ip, ipFromBigInt } from '../../lib/ip.ts';

export type FreeList = {
  /** The address whose turn it is, `undefined` when none is free that `may` be given. */
  readonly next: (may: (ip: Ip) => boolean) => Ip | undefined;
  /** Whether the address lies in the block and nobody has it. */
  readonly isFree: (ip: Ip) => boolean;
  /** Marks a free address as used. @throws RangeError when it is not free */
  readonly take: (ip: Ip) => void;
  /** Puts a used address at the end of the queue. @throws RangeError when it is not used */
  readonly giveBack: (ip: Ip) => void;
  /** Numbers of addresses; `released` ones are free too. */
  readonly counts: () => { readonly size: number; readonly used: number; readonly released: number };
};

export type FreeListHistory = {
  readonly used: readonly Ip[];
  /** Oldest first. */
  readonly released: readonly Ip[];
};

export function createFreeList(block: Cidr, history: FreeListHistory): FreeList {
  const { family, first, last } = cidrRange(block);
  const size = Number(cidrSize(block));
  const used = new Set<Ip>(history.used);
  // A Set keeps the order of insertion, which makes it a queue whose members can also be taken from the middle.
  const released = new Set<Ip>(history.released);
  const isFresh = (ip: Ip): boolean => !used.has(ip) && !released.has(ip);
  // Everything below this address has been used at least once.
  let cursor = first;

  const nextFresh = (may: (ip: Ip) => boolean): Ip | undefined => {
    while (cursor <= last && !isFresh(ipFromBigInt(cursor, family))) cursor++;
    for (let value = cursor; value <= last; value++) {
      const ip = ipFromBigInt(value, family);
      if (isFresh(ip) && may(ip)) return ip;
    }
    return undefined;
  };

  return {
    next: (may) => nextFresh(may) ?? released.values().find(may),
    isFree: (ip) => cidrContains(block, ip) && !used.has(ip),
    take: (ip) => {
      if (!cidrContains(block, ip) || used.has(ip)) {
        throw new RangeError(`Cannot take address "${ip}" of block "${block}": it is not free there`);
      }
      released.delete(ip);
      used.add(ip);
    },
    giveBack: (ip) => {
      if (!used.delete(ip))
        throw new RangeError(`Cannot give back address "${ip}" of block "${block}": it is not used`);
      released.add(ip);
    },
    counts: () => ({ size, used: used.size, released: released.size }),
  };
}
