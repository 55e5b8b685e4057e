// Finds the address for one family of a request in this node's blocks, or says what stands in the way. Changes nothing.
import type { IpPool } from '../datastore/resources/ip-pool.ts';
import { type Cidr, cidrContains, cidrContainsCidr } from '../lib/cidr.ts';
import type { Family, Ip } from '../lib/ip.ts';
import type { AddressBook } from './address-book.ts';
import type { PoolChooser } from './choose-pools-now.ts';
import type { PoolChoice, PoolWant } from './model/choose-pools.ts';
import { noPool, noPoolWith, type Refusal, stillCooling, takenBy } from './refusals.ts';

/** One address of a family: any, one of named pools, or this one. */
export type Wish = {
  readonly family: Family;
  /** Absent: for the node, before there is a pod. */
  readonly namespace?: string;
  readonly pod?: string;
  readonly pools?: readonly string[] | undefined;
  /** Outranks `pools`. */
  readonly address?: Ip | undefined;
};

export type Pick =
  | { readonly kind: 'picked'; readonly ip: Ip }
  /** This node needs another block. */
  | { readonly kind: 'claim' }
  | Refusal;

export type PickParts = {
  readonly book: AddressBook;
  readonly choose: PoolChooser;
  /** Addresses that nobody gets without naming them. */
  readonly isReserved: (ip: Ip) => boolean;
  /** Own blocks that perhaps another node has: nobody gets an address of them. */
  readonly isDoubted: (block: Cidr) => boolean;
};

export function pickAddress(wish: Wish, { book, choose, isReserved, isDoubted }: PickParts): Pick {
  const { usable, refused } = poolsFor(wish, choose);
  const { family, address, namespace, pod } = wish;
  const parts = { choice: { usable, refused }, book, isDoubted };
  if (address !== undefined) return pickRequested(address, `${namespace}/${pod}`, parts);
  if (usable.length === 0) return noPool(family, refused);
  const blocks = book.blocks().filter(({ cidr }) => !isDoubted(cidr));
  for (const pool of usable) {
    for (const block of blocks) {
      const ip = servesBlock(pool, block) ? book.next(block.cidr, isReserved) : undefined;
      if (ip !== undefined) return { kind: 'picked', ip };
    }
  }
  return { kind: 'claim' };
}

/** The pools that may serve a wish. */
export const poolsFor = ({ address, pools, pod: _, ...about }: Wish, choose: PoolChooser): PoolChoice =>
  choose({ ...about, want: wantOf(address, pools) });

/** Whether addresses of a block may be given in the name of a pool. */
export const servesBlock = (pool: IpPool, block: { readonly cidr: Cidr; readonly pool: string }): boolean =>
  block.pool === pool.metadata.name && cidrContainsCidr(pool.spec.cidr, block.cidr);

function wantOf(address: Ip | undefined, pools: readonly string[] | undefined): PoolWant {
  if (address !== undefined) return { kind: 'address' };
  return pools === undefined ? { kind: 'automatic' } : { kind: 'named', pools };
}

function pickRequested(
  ip: Ip,
  pod: string,
  {
    choice: { usable, refused },
    book,
    isDoubted,
  }: { readonly choice: PoolChoice; readonly book: AddressBook; readonly isDoubted: PickParts['isDoubted'] },
): Pick {
  if (!usable.some(({ spec }) => cidrContains(spec.cidr, ip))) return noPoolWith(ip, refused);
  const holder = book.holderOf(ip);
  if (holder !== undefined) {
    const other = book.find(holder);
    return takenBy(ip, holder, other && `pod "${other.namespace}/${other.pod}"`);
  }
  const block = book.blockOf(ip);
  if (block === undefined || isDoubted(block.cidr)) return { kind: 'claim' };
  if (!book.isFree(ip)) return takenBy(ip, 'an interface without an assignment');
  // What is still sent to the pod that had it must not reach whoever asks for it.
  return book.isCooling(ip, pod) ? stillCooling(ip) : { kind: 'picked', ip };
}
