// This node as the datastore knows it.
import { type Store, StoreError } from '../datastore/store.ts';
import type { OwnHolder } from './model/block-holder.ts';
import type { NodeIdentity } from './model/node-identity.ts';

/** Without uid where there is no such Node, or none that can be read. @throws StoreError all but `invalid` */
export async function ownNode(store: Store, name: string, holder: OwnHolder): Promise<NodeIdentity> {
  const uid = await uidOf(store, name);
  return { name, holder, ...(uid === undefined ? {} : { uid }) };
}

async function uidOf(store: Store, name: string): Promise<string | undefined> {
  try {
    return (await store.get('Node', undefined, name))?.metadata.uid;
  } catch (error) {
    if (error instanceof StoreError && error.code === 'invalid') return undefined;
    throw error;
  }
}
