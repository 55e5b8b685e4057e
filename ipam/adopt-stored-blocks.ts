// Brings the node's blocks in line with the datastore: at start, and again whenever the two may disagree.
import { type Store, StoreError } from '../datastore/store.ts';
import type { Cidr } from '../lib/cidr.ts';
import type { Log } from '../lib/log.ts';
import type { AddressBook } from './address-book.ts';
import { createBlock, takeUpBlock } from './create-block.ts';
import type { StartOutcome } from './ipam.ts';
import { JournalError } from './journal-error.ts';
import { adoptBlocks, type KnownBlock, type StrandedBlock } from './model/adopt-blocks.ts';
import type { OwnHolder } from './model/block-holder.ts';
import type { NodeIdentity } from './model/node-identity.ts';
import { ownNode } from './own-node.ts';
import type { BlockDoubt } from './refusals.ts';
import { whyUnreadable } from './unreadable-block.ts';

export type AdoptionParts = {
  readonly store: Store;
  readonly node: string;
  readonly holder: OwnHolder;
  readonly book: AddressBook;
  readonly log: Log;
  readonly trust: 'with-own-node' | undefined;
  /** Keeps a block from being assigned from until another comparison. */
  readonly doubt: (block: Cidr, why?: BlockDoubt) => void;
  readonly onStranded: (blocks: readonly StrandedBlock[], own: NodeIdentity) => void;
};

/** Another node may claim what is being created again; then the datastore is read once more. */
const MAX_ROUNDS = 4;

export async function adoptStoredBlocks(parts: AdoptionParts): Promise<StartOutcome> {
  try {
    for (let round = 0; round < MAX_ROUNDS; round++) {
      const outcome = await adoptOnce(parts);
      if (outcome !== undefined) return outcome;
    }
  } catch (error) {
    if (error instanceof StoreError || error instanceof JournalError) {
      return { kind: 'unavailable', why: `Cannot adopt address blocks: ${error.message}` };
    }
    throw error;
  }
  return { kind: 'unavailable', why: 'Cannot adopt address blocks: other nodes keep claiming them' };
}

/** `undefined`: a vanished block has another owner by now, or one was changed before this agent took it up. */
async function adoptOnce(parts: AdoptionParts): Promise<StartOutcome | undefined> {
  const { store, node, holder, book, log, trust, doubt, onStranded } = parts;
  // Taken before the list: a block that is claimed meanwhile is missing in the list, but not lost.
  const known = book.blocks();
  const own = await ownNode(store, node, holder);
  if (trust === 'with-own-node' && own.uid === undefined) {
    const why = `Cannot believe the datastore about address blocks: it has no Node "${node}" that can be read, expected this node`;
    return { kind: 'unavailable', why };
  }
  const { items: stored } = await store.list('IPBlock');
  const adoption = adoptBlocks({ node: own, stored, known, assignments: book.assignments(), keptOut: book.keptOut() });
  for (const { cidr } of adoption.drop) {
    book.dropBlock(cidr);
    log.warn({ block: cidr }, 'Gave up an address block that the datastore does not give to this node');
  }
  // Pods that run must not be without an agent for want of a write: a later comparison makes up for it.
  const unlessRefused = async <T>(block: Cidr, write: () => Promise<T>): Promise<T | 'refused'> => {
    try {
      return await write();
    } catch (error) {
      const isRefusal = error instanceof StoreError && error.code === 'unavailable';
      if (!isRefusal || trust !== undefined || !known.some(({ cidr }) => cidr === block)) throw error;
      doubt(block);
      log.error({ block, why: error.message }, 'Assigns nothing from an address block that cannot be written');
      return 'refused';
    }
  };
  for (const block of adoption.renew) {
    if (!(await unlessRefused(block.spec.cidr, () => takeUpBlock(store, block, own)))) return undefined;
  }
  for (const block of adoption.own) book.addBlock(block);
  for (const block of adoption.recreate) {
    const outcome = await unlessRefused(block.cidr, () => createAgain(store, block, own));
    if (outcome === 'refused') continue;
    if (outcome.kind === 'taken') return undefined;
    if (outcome.kind === 'created') {
      log.warn({ block: block.cidr }, 'Created an address block again that was missing in the datastore');
      continue;
    }
    const { why } = outcome;
    if (outcome.kind === 'unreadable') {
      doubt(block.cidr, 'unreadable');
      log.error(
        { block: block.cidr, why },
        'Assigns nothing from an address block whose object cannot be read; its pods stay',
      );
      continue;
    }
    // Emptied, the datastore lacks the pool too, and has it again before long: until then it takes no block away.
    if (own.uid === undefined) {
      doubt(block.cidr);
      log.warn({ block: block.cidr, why }, 'Keeps an address block that the datastore, without this Node, cannot have');
      continue;
    }
    book.dropBlock(block.cidr);
    log.error({ block: block.cidr, why }, 'Gave up an address block that cannot be created again; its pods stay');
  }
  onStranded(adoption.stranded, own);
  for (const { assignment, ip, block, owner } of adoption.conflicts) {
    log.error({ handle: assignment.handle, ip, block, owner }, 'A pod has an address of a block of another node');
  }
  return { kind: 'adopted', conflicts: adoption.conflicts, stranded: adoption.stranded.map(({ cidr }) => cidr) };
}

type CreateOutcome =
  | { readonly kind: 'created' }
  | { readonly kind: 'taken' }
  /** It is there, and does not say whose it is: nobody else can claim it. */
  | { readonly kind: 'unreadable'; readonly why: string }
  /** Its pool is gone or has blocks of another size: to try again does not help. */
  | { readonly kind: 'impossible'; readonly why: string };

/** @throws StoreError all but `exists` and `invalid` */
async function createAgain(store: Store, block: KnownBlock, own: NodeIdentity): Promise<CreateOutcome> {
  try {
    if (await createBlock(store, block, own)) return { kind: 'created' };
  } catch (error) {
    if (!(error instanceof StoreError && error.code === 'invalid')) throw error;
    return { kind: 'impossible', why: error.message };
  }
  // Lists leave out what cannot be read: to read them once more would not show it.
  const why = await whyUnreadable(store, block.cidr);
  return why === undefined ? { kind: 'taken' } : { kind: 'unreadable', why };
}
