// This node as the datastore knows it.
import type { Store } from '../datastore/store.ts';
import type { OwnHolder } from './model/block-holder.ts';
import type { NodeIdentity } from './model/node-identity.ts';

/** @throws StoreError */
export async function ownNode(store: Store, name: string, holder: OwnHolder): Promise<NodeIdentity> {
  const uid = (await store.get('Node', undefined, name))?.metadata.uid;
  return { name, holder, ...(uid === undefined ? {} : { uid }) };
}
