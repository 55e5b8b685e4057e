// Lists leave out what cannot be read: whether an IPBlock is there all the same.
import { unreadableSentence } from '../datastore/read-snapshot.ts';
import { resourceKey } from '../datastore/resources/index.ts';
import { ipBlockName } from '../datastore/resources/ip-block.ts';
import { type Store, StoreError } from '../datastore/store.ts';
import type { Cidr } from '../lib/cidr.ts';

/** Why the IPBlock of this range cannot be read; `undefined`: it can, or there is none. @throws StoreError all but `invalid` */
export async function whyUnreadable(store: Pick<Store, 'get'>, block: Cidr): Promise<string | undefined> {
  const name = ipBlockName(block);
  try {
    await store.get('IPBlock', undefined, name);
    return undefined;
  } catch (error) {
    if (!(error instanceof StoreError && error.code === 'invalid')) throw error;
    return unreadableSentence([resourceKey('IPBlock', undefined, name), error.message]);
  }
}
