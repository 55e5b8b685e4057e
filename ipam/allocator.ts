// The node's allocator: assigns inside own blocks from the journal alone, synchronously; claims another block in the
// datastore when they are full. Addresses of other nodes' blocks are never borrowed.
import { ipBlockName } from '../datastore/resources/ip-block.ts';
import type { Store } from '../datastore/store.ts';
import { type Cidr, cidrContains } from '../lib/cidr.ts';
import { type Family, type Ip, ipFamily } from '../lib/ip.ts';
import type { Log } from '../lib/log.ts';
import { createAddressBook } from './address-book.ts';
import { createBlockKeeper } from './block-keeper.ts';
import { createPoolChooser, type PoolSource } from './choose-pools-now.ts';
import { createCooling } from './cooling.ts';
import type { AssignOutcome, AssignRequest, FirstBlockOutcome, Ipam, OwnedBlock } from './ipam.ts';
import { openJournal } from './journal.ts';
import { JournalError } from './journal-error.ts';
import { kernelBootId, kernelStack } from './kernel-stack.ts';
import type { NetworkStack } from './model/block-holder.ts';
import { pickAddress, poolsFor, servesBlock, type Wish } from './pick-address.ts';
import { coolingDown, noPool, type Refusal } from './refusals.ts';
import { createReserved } from './reserved.ts';

export type IpamOptions = PoolSource & {
  readonly store: Store;
  /** Name of this Node. */
  readonly node: string;
  readonly journalPath: string;
  readonly log: Log;
  /** Addresses that nobody gets without naming them. Absent: none. */
  readonly reserved?: () => readonly Cidr[];
  /** The cluster's settings of the moment. Absent: their defaults. */
  readonly settings?: () => IpamSettings;
  /** Absent: the machine's clock. */
  readonly now?: () => Date;
  /** Milliseconds of a clock that does not jump. Absent: the process's. */
  readonly monotonicMs?: () => number;
  /** Absent: the kernel's. */
  readonly bootId?: string;
  /** Absent: where this process is. */
  readonly stack?: NetworkStack;
  /** Other kernels cannot reach the datastore. Absent: they may. */
  readonly isDatastoreLocal?: boolean;
};

export type IpamSettings = {
  /** How long a released address rests. */
  readonly cooldownMs: number;
  /** Most blocks of one family on this node; 0: no limit. */
  readonly maxBlocks: number;
  /** `none`: the node goes on with the blocks that it has. Absent: it claims what it needs. */
  readonly newBlocks?: 'none' | undefined;
};

const DEFAULTS: IpamSettings = { cooldownMs: 0, maxBlocks: 0 };
/** New blocks that others may use up before a waiting request gives up. */
const MAX_ROUNDS = 1000;
const NO_CIDRS: readonly Cidr[] = [];

/** @throws JournalError unwritable or busy */
export async function createIpam(options: IpamOptions): Promise<Ipam> {
  const { store, node, log, settings = () => DEFAULTS, reserved: reservedNow = () => NO_CIDRS } = options;
  const { now = () => new Date(), monotonicMs = () => performance.now() } = options;
  const { bootId = kernelBootId(), stack = kernelStack(), isDatastoreLocal = false } = options;
  const journal = openJournal({ path: options.journalPath, node, bootId });
  const holder = { journal: journal.id, bootId, ...stack };
  const { recovered, stale } = journal.opening;
  if (recovered !== undefined) log.error(recovered, 'Moved an unusable address journal aside and started a new one');
  if (stale.length > 0) log.info({ count: stale.length }, 'Freed the addresses of the previous boot');
  const cooling = createCooling(() => settings().cooldownMs, monotonicMs);
  const book = createAddressBook(journal, cooling, log);
  const choose = createPoolChooser(options);
  const reserved = createReserved(reservedNow);
  const listeners = new Set<(blocks: readonly OwnedBlock[]) => void>();

  const blocks = (): readonly OwnedBlock[] =>
    book.blocks().map(({ cidr, pool }) => ({ cidr, pool, name: ipBlockName(cidr) }));
  const keeper = createBlockKeeper({
    ...{ store, node, holder, isDatastoreLocal, book, log, choose, reserved, monotonicMs },
    mostBlocks: () => settings().newBlocks ?? settings().maxBlocks,
    onChange: () => {
      for (const listener of listeners) listener(blocks());
    },
  });

  const assign = async (request: AssignRequest): Promise<AssignOutcome> => {
    const { families, requested, pools, ...about } = request;
    const wishes = wishesOf(request);
    if (typeof wishes === 'string') return { kind: 'no-pool', why: wishes };
    // No `await` between picking and writing: concurrent requests cannot pick the same address.
    search: for (let round = 0; round < MAX_ROUNDS; round++) {
      const existing = book.find(request.handle);
      if (existing !== undefined) return { kind: 'assigned', assignment: existing };
      const ips: Ip[] = [];
      for (const wish of wishes) {
        const pick = pickAddress(wish, { book, choose, isReserved: reserved.has, isDoubted: keeper.isDoubted });
        if (pick.kind === 'picked') ips.push(pick.ip);
        else if (pick.kind !== 'claim') return pick;
        else {
          const refusal = await keeper.claim(wish);
          if (refusal !== undefined) return restingOr(refusal, wish);
          continue search;
        }
      }
      const draft = { ...about, ips, assignedAt: now().toISOString(), state: 'assigned' } as const;
      return unlessJournalFails(() => ({ kind: 'assigned', assignment: book.assign(draft) }));
    }
    return { kind: 'unavailable', why: `Cannot assign an address: others used up ${MAX_ROUNDS} new blocks first` };
  };
  // An address that rests is free before long: a reason to come again, not to give up.
  const restingOr = (refusal: Refusal, wish: Wish): Refusal => {
    if (refusal.kind !== 'exhausted' || wish.address !== undefined) return refusal;
    const serving = book.blocks().filter((block) => poolsFor(wish, choose).usable.some((p) => servesBlock(p, block)));
    const isOurs = (ip: Ip): boolean => serving.some(({ cidr }) => cidrContains(cidr, ip)) && !reserved.has(ip);
    const resting = book.resting().filter((ip) => book.isFree(ip) && isOurs(ip)).length;
    return resting === 0 ? refusal : coolingDown(refusal.why, resting);
  };

  const claimFirstBlock = async (): Promise<FirstBlockOutcome> => {
    const choicesOf = (kind: 'automatic' | 'some') =>
      FAMILIES.map((family) => ({ family, ...choose({ family, want: { kind } }) }));
    const served = choicesOf('automatic').filter(({ usable }) => usable.length > 0);
    if (served.length === 0) {
      const some = choicesOf('some');
      if (some.some(({ usable }) => usable.length > 0)) return { kind: 'on-demand' };
      return noPool(
        4,
        some.flatMap(({ refused }) => refused),
      );
    }
    let failure: Refusal | undefined;
    for (const { family, usable } of served) {
      if (book.blocks().some((block) => usable.some((pool) => servesBlock(pool, block)))) continue;
      failure = (await keeper.claim({ family })) ?? failure;
    }
    return failure ?? { kind: 'ready' };
  };

  return {
    opening: journal.opening,
    holder,
    start: keeper.start,
    doubt: keeper.doubt,
    claimFirstBlock,
    releaseEmptyBlocks: keeper.releaseEmpty,
    families: (namespace) =>
      FAMILIES.filter((family) => choose({ family, want: { kind: 'automatic' }, namespace }).usable.length > 0),
    assign,
    adopt: (found) => {
      if (book.find(found.handle) !== undefined || found.ips.some((ip) => book.holderOf(ip) !== undefined)) return;
      return book.assign({ ...found, assignedAt: now().toISOString() });
    },
    markAttached: book.attach,
    release: book.release,
    find: book.find,
    assignments: book.assignments,
    blocks,
    stranded: keeper.stranded,
    blockUse: book.use,
    onBlocksChanged: (listener) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    keepOut: (ips) => book.avoid(new Set(ips)),
    keptOut: book.keptOut,
    resting: book.resting,
    journalProblem: book.trouble,
    close: journal.close,
  };
}

const FAMILIES = [4, 6] as const satisfies readonly Family[];

/** One wish per family in the order asked for; a text when the request contradicts itself. */
function wishesOf({ namespace, pod, families, requested = [], pools = {} }: AssignRequest): readonly Wish[] | string {
  const all = new Map<Family, Wish>(
    families.map((family) => [family, { family, namespace, pod, pools: pools[family] }]),
  );
  for (const address of requested) {
    const family = ipFamily(address);
    const other = all.get(family)?.address;
    if (other !== undefined) return `Cannot assign addresses "${other}" and "${address}": expected one per family`;
    all.set(family, { family, namespace, pod, address });
  }
  return all.size === 0 ? 'Cannot assign an address: no address family is asked for' : [...all.values()];
}

function unlessJournalFails<T>(write: () => T): T | { readonly kind: 'unavailable'; readonly why: string } {
  try {
    return write();
  } catch (error) {
    if (error instanceof JournalError) return { kind: 'unavailable', why: error.message };
    throw error;
  }
}
