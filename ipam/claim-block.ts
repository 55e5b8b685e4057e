// Claiming a block in the datastore: the block's name is derived from its CIDR, so one create succeeds for one node and
// every other node hears `exists` and goes on to the next block.
import type { IpBlock } from '../datastore/resources/ip-block.ts';
import type { IpPool } from '../datastore/resources/ip-pool.ts';
import { type Store, StoreError } from '../datastore/store.ts';
import { type Cidr, cidrContains, cidrContainsCidr, cidrOverlaps, type IpRange } from '../lib/cidr.ts';
import type { Ip } from '../lib/ip.ts';
import { createBlock, takeUpBlock } from './create-block.ts';
import { type KnownBlock, ownerName } from './model/adopt-blocks.ts';
import type { OwnHolder } from './model/block-holder.ts';
import { isOwnedBy, type NodeIdentity } from './model/node-identity.ts';
import { blockAround, unclaimedBlocks } from './model/pool-blocks.ts';
import { ownNode } from './own-node.ts';
import { whyUnreadable } from './unreadable-block.ts';

export type ClaimRequest = {
  readonly store: Store;
  readonly node: string;
  readonly holder: OwnHolder;
  /** In order of preference, not empty. */
  readonly pools: readonly IpPool[];
  /** Blocks that this node knows as its own. */
  readonly known: readonly KnownBlock[];
  /** Claim the block around this address and no other. */
  readonly around?: Ip | undefined;
  /** A block that lies in here whole is of no use. Absent: none. */
  readonly reserved?: readonly IpRange[];
};

export type ClaimOutcome =
  /** The datastore has it under this node's name. */
  | { readonly kind: 'claimed'; readonly block: KnownBlock }
  /** Every block of these pools has an owner. */
  | {
      readonly kind: 'exhausted';
      readonly pools: readonly string[];
      /** Those of them that stand under this node's name and are another agent's. */
      readonly stranded: readonly Cidr[];
    }
  /** The block around the wanted address has another owner. */
  | { readonly kind: 'foreign'; readonly owner: string; readonly block: Cidr }
  | { readonly kind: 'unavailable'; readonly why: string };

/** Lost races before the list is read again, and how often that may happen. */
const TRIES_PER_LIST = 16;
const MAX_LISTS = 16;

/** Blocks that are this node's in the datastore but unknown to it (an answer got lost) are taken before new ones. */
export async function claimBlock(request: ClaimRequest): Promise<ClaimOutcome> {
  const lost: Cidr[] = [];
  try {
    const own = await ownNode(request.store, request.node, request.holder);
    for (let round = 0; round < MAX_LISTS; round++) {
      const outcome = await claimFromList(request, own, lost);
      if (outcome !== undefined) return outcome;
    }
  } catch (error) {
    if (!(error instanceof StoreError)) throw error;
    return { kind: 'unavailable', why: error.message };
  }
  const names = request.pools.map(({ metadata }) => metadata.name).join(', ');
  const why = `Cannot claim a block of IPPool "${names}": other nodes took ${TRIES_PER_LIST * MAX_LISTS} of them first`;
  return { kind: 'unavailable', why };
}

/** `undefined`: too many races were lost (those for new blocks are added to `lost`), the list is out of date. */
async function claimFromList(
  request: ClaimRequest,
  own: NodeIdentity,
  lost: Cidr[],
): Promise<ClaimOutcome | undefined> {
  const { store, pools, known, around } = request;
  const { items } = await store.list('IPBlock');
  const unknown = findUnknown(items, own, request);
  if (unknown !== undefined) {
    const { cidr, pool } = unknown.spec;
    return (await takeUpBlock(store, unknown, own)) ? { kind: 'claimed', block: { cidr, pool } } : undefined;
  }
  const taken = [...items.map(({ spec }) => spec.cidr), ...known.map(({ cidr }) => cidr), ...lost];
  let tries = 0;
  let refused: string | undefined;
  for (const pool of pools) {
    for (const cidr of candidates(pool, request, taken)) {
      if (tries++ === TRIES_PER_LIST) return undefined;
      const block = { cidr, pool: pool.metadata.name };
      try {
        if (await createBlock(store, block, own)) return { kind: 'claimed', block };
      } catch (error) {
        if (!(error instanceof StoreError && error.code === 'invalid')) throw error;
        // The datastore cannot read the pool as this node knows it, or has it no more; another may serve.
        refused = error.message;
        break;
      }
      lost.push(cidr);
    }
  }
  if (refused !== undefined) return { kind: 'unavailable', why: refused };
  if (around === undefined) {
    const names = pools.map(({ metadata }) => metadata.name);
    const isStranded = ({ spec }: IpBlock): boolean =>
      spec.node === own.name && names.includes(spec.pool) && !known.some(({ cidr }) => cidr === spec.cidr);
    return { kind: 'exhausted', pools: names, stranded: items.filter(isStranded).map(({ spec }) => spec.cidr) };
  }
  const wanted = pools.filter(({ spec }) => cidrContains(spec.cidr, around)).map((pool) => blockAround(pool, around));
  const owner = items.find(({ spec }) => wanted.some((cidr) => cidrOverlaps(spec.cidr, cidr)))?.spec;
  if (owner !== undefined) return { kind: 'foreign', owner: ownerName(owner.node, own.name), block: owner.cidr };
  for (const cidr of wanted) {
    const why = await whyUnreadable(store, cidr);
    if (why !== undefined) return { kind: 'unavailable', why };
  }
  return undefined;
}

function findUnknown(
  items: readonly IpBlock[],
  own: NodeIdentity,
  { pools, known, around }: ClaimRequest,
): IpBlock | undefined {
  const isKnown = new Set(known.map(({ cidr }) => cidr));
  return items.find(
    ({ spec }) =>
      isOwnedBy(spec, own, false) &&
      !isKnown.has(spec.cidr) &&
      (around === undefined || cidrContains(spec.cidr, around)) &&
      pools.some((pool) => pool.metadata.name === spec.pool && cidrContainsCidr(pool.spec.cidr, spec.cidr)),
  );
}

function candidates(pool: IpPool, { node, around, reserved }: ClaimRequest, taken: readonly Cidr[]): Iterable<Cidr> {
  if (around === undefined) return unclaimedBlocks(pool, node, taken, reserved);
  if (!cidrContains(pool.spec.cidr, around)) return [];
  const cidr = blockAround(pool, around);
  return taken.some((other) => cidrOverlaps(other, cidr)) ? [] : [cidr];
}
