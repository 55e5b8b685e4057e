// Finds the address for one family of a request in this node's blocks, or says what stands in the way. Changes nothing.
import type { IpPool } from '../datastore/resources/ip-pool.ts';
import { type Cidr, cidrContains, cidrContainsCidr } from '../lib/cidr.ts';
import { type Family, type Ip, ipFamily } from '../lib/ip.ts';
import type { AddressBook } from './address-book.ts';
import type { PoolChooser } from './choose-pools-now.ts';
import { noPool, noPoolWith, type Refusal, takenBy } from './refusals.ts';

/** Any address of a family, or one address. */
export type Wish = Family | Ip;

export type Pick =
  | { readonly kind: 'picked'; readonly ip: Ip }
  /** This node needs another block, `around` the wished address if there is one. */
  | { readonly kind: 'claim'; readonly family: Family; readonly around?: Ip }
  | Refusal;

export function pickAddress(wish: Wish, book: AddressBook, choose: PoolChooser): Pick {
  return typeof wish === 'string' ? pickRequested(wish, book, choose) : pickAutomatic(wish, book, choose);
}

/** Whether addresses of a block may be given in the name of a pool. */
export const servesBlock = (pool: IpPool, block: { readonly cidr: Cidr; readonly pool: string }): boolean =>
  block.pool === pool.metadata.name && cidrContainsCidr(pool.spec.cidr, block.cidr);

function pickAutomatic(family: Family, book: AddressBook, choose: PoolChooser): Pick {
  const { usable, refused } = choose(family, 'automatic');
  if (usable.length === 0) return noPool(family, refused);
  const blocks = book.blocks();
  for (const pool of usable) {
    for (const block of blocks) {
      const ip = servesBlock(pool, block) ? book.next(block.cidr) : undefined;
      if (ip !== undefined) return { kind: 'picked', ip };
    }
  }
  return { kind: 'claim', family };
}

function pickRequested(ip: Ip, book: AddressBook, choose: PoolChooser): Pick {
  const { usable, refused } = choose(ipFamily(ip), 'requested');
  if (!usable.some(({ spec }) => cidrContains(spec.cidr, ip))) return noPoolWith(ip, refused);
  const holder = book.holderOf(ip);
  if (holder !== undefined) return takenBy(ip, holder);
  if (book.blockOf(ip) === undefined) return { kind: 'claim', family: ipFamily(ip), around: ip };
  return book.isFree(ip) ? { kind: 'picked', ip } : takenBy(ip, 'an interface without an assignment');
}
