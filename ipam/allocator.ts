// The node's allocator: assigns inside own blocks from the journal alone, synchronously; claims another block in the
// datastore when they are full. Addresses of other nodes' blocks are never borrowed.
import { ipBlockName } from '../datastore/resources/ip-block.ts';
import type { Store } from '../datastore/store.ts';
import { type Family, type Ip, ipFamily } from '../lib/ip.ts';
import type { Log } from '../lib/log.ts';
import { createAddressBook } from './address-book.ts';
import { adoptStoredBlocks } from './adopt-stored-blocks.ts';
import { createPoolChooser, type PoolSource } from './choose-pools-now.ts';
import { claimBlock } from './claim-block.ts';
import type { AssignOutcome, AssignRequest, FirstBlockOutcome, Ipam, OwnedBlock } from './ipam.ts';
import { openJournal } from './journal.ts';
import { JournalError } from './journal-error.ts';
import { pickAddress, servesBlock, type Wish } from './pick-address.ts';
import { noPool, type Refusal, refusalOf } from './refusals.ts';

export type IpamOptions = PoolSource & {
  readonly store: Store;
  /** Name of this Node. */
  readonly node: string;
  readonly journalPath: string;
  readonly log: Log;
  /** Absent: the machine's clock. */
  readonly now?: () => Date;
  /** Absent: the kernel's. */
  readonly bootId?: string;
};

/** New blocks that others may use up before a waiting request gives up. */
const MAX_ROUNDS = 1000;

/** @throws JournalError unwritable or busy */
export async function createIpam(options: IpamOptions): Promise<Ipam> {
  const { store, node, log, now = () => new Date() } = options;
  const journal = openJournal({ path: options.journalPath, node, bootId: options.bootId });
  const { recovered, stale } = journal.opening;
  if (recovered !== undefined) log.error(recovered, 'Moved an unusable address journal aside and started a new one');
  if (stale.length > 0) log.info({ count: stale.length }, 'Freed the addresses of the previous boot');
  const book = createAddressBook(journal, log);
  const choose = createPoolChooser(options);
  const listeners = new Set<(blocks: readonly OwnedBlock[]) => void>();
  const claims = new Map<string, Promise<Refusal | undefined>>();

  const blocks = (): readonly OwnedBlock[] =>
    book.blocks().map(({ cidr, pool }) => ({ cidr, pool, name: ipBlockName(cidr) }));
  const tellListeners = (): void => {
    for (const listener of listeners) listener(blocks());
  };

  const claimAlone = async (family: Family, around: Ip | undefined): Promise<Refusal | undefined> => {
    const { usable, refused } = choose(family, around === undefined ? 'automatic' : 'requested');
    if (usable.length === 0) return noPool(family, refused);
    const outcome = await claimBlock({ store, node, pools: usable, known: book.blocks(), around });
    if (outcome.kind !== 'claimed') return refusalOf(outcome, { family, around });
    const failure = unlessJournalFails(() => book.addBlock(outcome.block));
    if (failure !== undefined) return failure;
    log.info({ block: outcome.block.cidr, pool: outcome.block.pool }, 'Claimed an address block');
    tellListeners();
    return undefined;
  };
  /** `undefined`: there is a new block, look again. What is asked for while a claim is under way waits for that one. */
  const claim = (family: Family, around?: Ip): Promise<Refusal | undefined> => {
    const key = around ?? `${family}`;
    const running = claims.get(key);
    if (running !== undefined) return running;
    const started = claimAlone(family, around).finally(() => claims.delete(key));
    claims.set(key, started);
    return started;
  };

  const assign = async ({ families, requested, ...request }: AssignRequest): Promise<AssignOutcome> => {
    const wishes = wishesOf(families, requested ?? []);
    if (typeof wishes === 'string') return { kind: 'no-pool', why: wishes };
    // No `await` between picking and writing: concurrent requests cannot pick the same address.
    search: for (let round = 0; round < MAX_ROUNDS; round++) {
      const existing = book.find(request.handle);
      if (existing !== undefined) return { kind: 'assigned', assignment: existing };
      const ips: Ip[] = [];
      for (const wish of wishes) {
        const pick = pickAddress(wish, book, choose);
        if (pick.kind === 'picked') ips.push(pick.ip);
        else if (pick.kind !== 'claim') return pick;
        else {
          const refusal = await claim(pick.family, pick.around);
          if (refusal !== undefined) return refusal;
          continue search;
        }
      }
      const draft = { ...request, ips, assignedAt: now().toISOString() };
      return unlessJournalFails(() => ({ kind: 'assigned', assignment: book.assign(draft) }));
    }
    return { kind: 'unavailable', why: `Cannot assign an address: others used up ${MAX_ROUNDS} new blocks first` };
  };

  const claimFirstBlock = async (): Promise<FirstBlockOutcome> => {
    const choices = ([4, 6] as const).map((family) => ({ family, ...choose(family, 'automatic') }));
    const served = choices.filter(({ usable }) => usable.length > 0);
    if (served.length === 0) {
      return noPool(
        4,
        choices.flatMap(({ refused }) => refused),
      );
    }
    let failure: Refusal | undefined;
    for (const { family, usable } of served) {
      if (book.blocks().some((block) => usable.some((pool) => servesBlock(pool, block)))) continue;
      failure = (await claim(family)) ?? failure;
    }
    return failure ?? { kind: 'ready' };
  };

  return {
    opening: journal.opening,
    start: async () => {
      const before = JSON.stringify(blocks());
      const outcome = await adoptStoredBlocks({ store, node, book, log });
      if (JSON.stringify(blocks()) !== before) tellListeners();
      return outcome;
    },
    claimFirstBlock,
    families: () => ([4, 6] as const).filter((family) => choose(family, 'automatic').usable.length > 0),
    assign,
    markAttached: (handle, { mac }) => book.attach(handle, mac),
    release: book.release,
    find: book.find,
    assignments: book.assignments,
    blocks,
    onBlocksChanged: (listener) => {
      listeners.add(listener);
      return () => {
        listeners.delete(listener);
      };
    },
    keepOut: (ips) => book.avoid(new Set(ips)),
    close: journal.close,
  };
}

/** One wish per family in the order asked for; a text when the request contradicts itself. */
function wishesOf(families: readonly Family[], requested: readonly Ip[]): readonly Wish[] | string {
  const all = new Map<Family, Wish>(families.map((family) => [family, family]));
  for (const ip of requested) {
    const other = all.get(ipFamily(ip));
    if (typeof other === 'string') return `Cannot assign addresses "${other}" and "${ip}": expected one per family`;
    all.set(ipFamily(ip), ip);
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
