// Gives one block back. First the node forgets it, so that no address of it is promised any more and nothing announces it;
// then the datastore does, which lets another node claim it. Between the two it is nobody's: a node that dies there, or
// that does not hear whether the datastore did it, finds it under its name at its next start or claim if it is still there.
import { ipBlockName } from '../datastore/resources/ip-block.ts';
import { type Store, StoreError } from '../datastore/store.ts';
import { type Cidr, cidrContains } from '../lib/cidr.ts';
import type { Log } from '../lib/log.ts';
import type { AddressBook } from './address-book.ts';
import { JournalError, reasonOf } from './journal-error.ts';
import { type BlockHolder, isSameHolder } from './model/block-holder.ts';

export type ReleaseParts = {
  readonly store: Store;
  readonly node: string;
  readonly holder: BlockHolder;
  readonly book: AddressBook;
  readonly log: Log;
  readonly onChange: () => void;
};

/** How many addresses of an own block nobody else may get: another node would not know which rest or are kept out. */
export function inUse(book: Pick<AddressBook, 'use' | 'keptOut'>, cidr: Cidr): number {
  const { used = 0, cooling = 0 } = book.use(cidr) ?? {};
  return used + cooling + book.keptOut().filter((ip) => cidrContains(cidr, ip)).length;
}

/** Whether it is gone. It stays when somebody got an address of it meanwhile, or nothing of it could be written. */
export async function releaseBlock(parts: ReleaseParts, cidr: Cidr): Promise<boolean> {
  const { store, node, holder, book, log, onChange } = parts;
  const name = ipBlockName(cidr);
  try {
    const stored = await store.get('IPBlock', undefined, name);
    // No `await` from here to the drop: a pod may have got an address during the one above.
    if (book.use(cidr) === undefined || inUse(book, cidr) > 0) return false;
    book.dropBlock(cidr);
    onChange();
    if (stored?.spec.node !== node || !isSameHolder(stored.spec.holder, holder)) return true;
    try {
      await store.delete('IPBlock', undefined, name, stored.metadata.resourceVersion);
    } catch (error) {
      if (!(error instanceof StoreError)) throw error;
      if (error.code === 'not-found' || error.code === 'conflict') return true;
      // It may be deleted all the same, and another node's by now.
      throw error;
    }
    log.info({ block: cidr }, 'Gave an empty address block back');
    return true;
  } catch (error) {
    if (!(error instanceof StoreError || error instanceof JournalError)) throw error;
    log.warn({ block: cidr, why: reasonOf(error) }, 'Cannot give an empty address block back');
    return false;
  }
}
