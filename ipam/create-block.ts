// One IPBlock object written: the moment at which a block gets its owner.
import { type IpBlock, ipBlockName } from '../datastore/resources/ip-block.ts';
import { type Store, StoreError } from '../datastore/store.ts';
import { cidrOverlaps } from '../lib/cidr.ts';
import type { KnownBlock } from './model/adopt-blocks.ts';
import { isToRenew, type NodeIdentity } from './model/node-identity.ts';

/**
 * Whether the block is this node's now. Nodes that see the pool with different block sizes could create overlapping
 * blocks under different names: a look after the create shows it to the later one at least, which withdraws.
 * @throws StoreError all but `exists`
 */
export async function createBlock(store: Store, { cidr, pool }: KnownBlock, own: NodeIdentity): Promise<boolean> {
  const name = ipBlockName(cidr);
  const block: IpBlock = {
    apiVersion: 'margay.dev/v1alpha1',
    kind: 'IPBlock',
    metadata: { name },
    spec: ownedSpec({ cidr, pool, node: own.name }, own),
  };
  try {
    await store.create(block);
  } catch (error) {
    if (error instanceof StoreError && error.code === 'exists') return false;
    throw error;
  }
  const { items } = await store.list('IPBlock');
  if (!items.some(({ spec }) => spec.cidr !== cidr && cidrOverlaps(spec.cidr, cidr))) return true;
  await store.delete('IPBlock', undefined, name);
  return false;
}

/** The specification that a block of this agent's has. */
export const ownedSpec = (spec: IpBlock['spec'], { uid, holder }: NodeIdentity): IpBlock['spec'] => ({
  ...spec,
  ...(uid === undefined ? {} : { nodeUid: uid }),
  holder: holder.record,
});

/**
 * Writes this agent into a block that is its own by `isOwnedBy()`; false when somebody changed it meanwhile.
 * @throws StoreError all but `conflict` and `not-found`
 */
export async function takeUpBlock(store: Store, block: IpBlock, own: NodeIdentity): Promise<boolean> {
  if (!isToRenew(block.spec, own)) return true;
  try {
    await store.update({ ...block, spec: ownedSpec(block.spec, own) });
    return true;
  } catch (error) {
    if (error instanceof StoreError && (error.code === 'conflict' || error.code === 'not-found')) return false;
    throw error;
  }
}
