// The node's blocks and the datastore: claiming, comparing at start, and giving back. One change of blocks at a time, so
// that a block that is on its way back is not found and taken up again by a claim.
import type { Store } from '../datastore/store.ts';
import { type Cidr, cidrFamily } from '../lib/cidr.ts';
import type { Family, Ip } from '../lib/ip.ts';
import type { Log } from '../lib/log.ts';
import type { AddressBook } from './address-book.ts';
import { adoptStoredBlocks } from './adopt-stored-blocks.ts';
import type { PoolChooser } from './choose-pools-now.ts';
import { claimBlock } from './claim-block.ts';
import type { StartOutcome } from './ipam.ts';
import { JournalError } from './journal-error.ts';
import type { KnownBlock, StrandedBlock } from './model/adopt-blocks.ts';
import type { BlockHolder, OwnHolder } from './model/block-holder.ts';
import { createEmptyBlocks } from './model/empty-blocks.ts';
import type { NodeIdentity } from './model/node-identity.ts';
import { pickAddress, poolsFor, servesBlock, type Wish } from './pick-address.ts';
import {
  type BlockDoubt,
  butForDoubt,
  type ClaimLimit,
  inDoubt,
  noNewBlock,
  noPool,
  type Refusal,
  refusalOf,
} from './refusals.ts';
import { inUse, releaseBlock } from './release-block.ts';
import type { Reserved } from './reserved.ts';
import { createSerial } from './serial.ts';

export type BlockKeeper = {
  /** `undefined`: there is a new block, look again. What is asked for while a claim is under way waits for that one. */
  readonly claim: (wish: Wish) => Promise<Refusal | undefined>;
  readonly start: (trust?: 'with-own-node') => Promise<StartOutcome>;
  readonly doubt: (block: Cidr, why?: BlockDoubt) => void;
  /** Doubted since the last `start()` that could compare it. */
  readonly isDoubted: (block: Cidr) => boolean;
  readonly releaseEmpty: () => Promise<readonly Cidr[]>;
  /** As the last comparison found them. */
  readonly stranded: () => readonly StrandedBlock[];
};

export type BlockKeeperParts = {
  readonly store: Store;
  readonly node: string;
  readonly holder: BlockHolder;
  readonly isDatastoreLocal: boolean;
  readonly book: AddressBook;
  readonly log: Log;
  readonly choose: PoolChooser;
  readonly reserved: Reserved;
  /** Most blocks of one family; 0: no limit. `none`: no new ones at all. */
  readonly mostBlocks: () => number | 'none';
  readonly monotonicMs: () => number;
  /** The blocks are others than before. */
  readonly onChange: () => void;
};

/** How long a block must have been empty, in milliseconds, before it goes back. */
const EMPTY_MS = 10 * 60_000;

export function createBlockKeeper(parts: BlockKeeperParts): BlockKeeper {
  const { store, node, book, log, choose, reserved, mostBlocks, monotonicMs, onChange } = parts;
  const held = new Set<Cidr>();
  // What the first comparison left alone, of all that an earlier life can have claimed.
  let leftAtFirst: ReadonlySet<Cidr> | undefined;
  const mayInherit = (block: Cidr): boolean => !held.has(block) && leftAtFirst?.has(block) !== false;
  const holder: OwnHolder = { record: parts.holder, isDatastoreLocal: parts.isDatastoreLocal, mayInherit };
  let stranded: readonly StrandedBlock[] = [];
  const serially = createSerial();
  const claims = new Map<string, Promise<Refusal | undefined>>();
  const empty = createEmptyBlocks(EMPTY_MS);
  // The number tells a doubt from an earlier one, which a comparison under way may have settled.
  const doubts = new Map<Cidr, { readonly nth: number; readonly why: BlockDoubt }>();
  let doubtsEver = 0;
  const isDoubted = (block: Cidr): boolean => doubts.has(block);
  const doubt = (block: Cidr, why: BlockDoubt = 'changed'): void => {
    doubts.set(block, { nth: ++doubtsEver, why });
  };

  const leftIn = (blocks: readonly { readonly cidr: Cidr }[]) => {
    if (blocks.length === 0) return 'no-block';
    const isFree = ({ cidr }: { readonly cidr: Cidr }): boolean =>
      !isDoubted(cidr) && book.next(cidr, () => false) !== undefined;
    return blocks.some(isFree) ? 'reserved-addresses' : 'full-blocks';
  };

  const limitOf = (family: Family): ClaimLimit | undefined => {
    const most = mostBlocks();
    if (most === 'none') return { kind: 'none' };
    const has = book.blocks().filter(({ cidr }) => cidrFamily(cidr) === family).length;
    return most > 0 && has >= most ? { kind: 'most', most, has } : undefined;
  };
  // A block in doubt may serve again before long: a reason to come again, not to give up.
  const unlessDoubted = (refusal: Refusal, around: Ip | undefined, serving: readonly KnownBlock[]): Refusal => {
    const block = serving.find(({ cidr }) => isDoubted(cidr))?.cidr;
    const why = block === undefined ? undefined : doubts.get(block)?.why;
    if (refusal.kind !== 'exhausted' || around !== undefined || block === undefined || why === undefined)
      return refusal;
    return butForDoubt(refusal.why, block, why);
  };

  const claimAlone = async (wish: Wish): Promise<Refusal | undefined> => {
    // A claim that went before may have brought what this one wants.
    if (pickAddress(wish, { book, choose, isReserved: reserved.has, isDoubted }).kind === 'picked') return undefined;
    const { family, address: around } = wish;
    const ownBlock = around === undefined ? undefined : book.blockOf(around)?.cidr;
    const doubted = ownBlock === undefined ? undefined : doubts.get(ownBlock);
    if (around !== undefined && ownBlock !== undefined && doubted !== undefined) {
      return inDoubt(around, ownBlock, doubted.why);
    }
    const { usable, refused } = poolsFor(wish, choose);
    if (usable.length === 0) return noPool(family, refused);
    const known = book.blocks();
    const serving = known.filter((block) => usable.some((pool) => servesBlock(pool, block)));
    const own = leftIn(serving);
    const limit = limitOf(family);
    if (limit !== undefined) {
      const pools = [...new Set(usable.map(({ metadata }) => metadata.name))];
      return unlessDoubted(noNewBlock(limit, { family, around, own, pools }), around, serving);
    }
    const ranges = reserved.ranges();
    const outcome = await claimBlock({ store, node, holder, pools: usable, known, around, reserved: ranges });
    if (outcome.kind !== 'claimed') {
      const refusal = refusalOf(outcome, { family, around, own, someReserved: ranges.length > 0 });
      return unlessDoubted(refusal, around, serving);
    }
    try {
      book.addBlock(outcome.block);
    } catch (error) {
      if (error instanceof JournalError) return { kind: 'unavailable', why: error.message };
      throw error;
    }
    held.add(outcome.block.cidr);
    log.info({ block: outcome.block.cidr, pool: outcome.block.pool }, 'Claimed an address block');
    onChange();
    return undefined;
  };

  const onStranded = (found: readonly StrandedBlock[], { uid }: NodeIdentity): void => {
    // A datastore without this Node may be filled yet.
    if (uid !== undefined) leftAtFirst ??= new Set(found.map(({ cidr }) => cidr));
    for (const { cidr, why } of found) {
      if (stranded.some((each) => each.why === why)) continue;
      log.warn({ block: cidr, why }, 'An address block of this name is not taken up');
    }
    stranded = found;
  };

  return {
    claim: (wish) => {
      const key = JSON.stringify([wish.family, wish.address, wish.pools, wish.namespace]);
      const running = claims.get(key);
      if (running !== undefined) return running;
      const started = serially(() => claimAlone(wish)).finally(() => claims.delete(key));
      claims.set(key, started);
      return started;
    },
    start: (trust) =>
      serially(async () => {
        const before = JSON.stringify(book.blocks());
        const compared = [...doubts].map(([block, { nth }]) => [block, nth] as const);
        const outcome = await adoptStoredBlocks({ store, node, holder, book, log, trust, doubt, onStranded });
        if (outcome.kind === 'adopted') {
          for (const { cidr } of book.blocks()) held.add(cidr);
          for (const [block, nth] of compared) if (doubts.get(block)?.nth === nth) doubts.delete(block);
        }
        if (JSON.stringify(book.blocks()) !== before) onChange();
        return outcome;
      }),
    doubt,
    isDoubted,
    releaseEmpty: () =>
      serially(async () => {
        const serving = ([4, 6] as const).flatMap((family) => {
          const forAll = choose({ family, want: { kind: 'automatic' } }).usable;
          return forAll.length > 0 ? forAll : choose({ family, want: { kind: 'some' } }).usable;
        });
        const looked = book.blocks().map((block) => ({
          cidr: block.cidr,
          used: inUse(book, block.cidr),
          serves: serving.some((pool) => servesBlock(pool, block)),
        }));
        // One that goes would not come back, and its pool may serve again: when it can be read, or selects this node.
        const mayGo = mostBlocks() === 'none' ? [] : looked;
        const gone: Cidr[] = [];
        for (const cidr of empty.due(mayGo, monotonicMs())) {
          if (await releaseBlock({ store, node, holder: holder.record, book, log, onChange }, cidr)) gone.push(cidr);
        }
        return gone;
      }),
    stranded: () => stranded,
  };
}
