// Rules between objects that a schema cannot see: the store asks them inside the transaction of every write.
import { type Cidr, cidrContainsCidr, cidrLength, cidrOverlaps } from '../lib/cidr.ts';
import { err, ok, type Result } from '../lib/result.ts';
import type { Kind, Resource, ResourceKey, ResourceOf } from './resources/index.ts';
import { type IpBlock, ipBlockName } from './resources/ip-block.ts';
import { blockSizeOf, type IpPool, noPodRange } from './resources/ip-pool.ts';

/** A write before it happens; `old` is what is stored now, absent when that cannot be read. */
export type Write =
  | { readonly kind: 'create'; readonly resource: Resource }
  | { readonly kind: 'update'; readonly resource: Resource; readonly old: Resource | undefined }
  /** Named by its key alone: what cannot be read must be removable, too. */
  | { readonly kind: 'delete'; readonly key: ResourceKey };

/** Reads the stored objects of a kind. */
export type Lister = <K extends Kind>(kind: K) => readonly ResourceOf<K>[];

/** Whether a write may happen; the error names both objects. */
export function admit(write: Write, list: Lister): Result<void> {
  if (write.kind === 'delete') return admitDelete(write.key, list);
  const { resource } = write;
  switch (resource.kind) {
    case 'IPPool':
      return admitPool(resource, oldOf(write), list);
    case 'IPBlock':
      return admitBlock(resource, oldOf(write), list);
    case 'Namespace':
    case 'Node':
    case 'NodeStatus':
    case 'Pod':
    case 'Service':
    case 'EndpointSlice':
    case 'NetworkPolicy':
    case 'ClusterNetworkPolicy':
    case 'IPReservation':
    case 'IPAMConfiguration':
    case 'BGPConfiguration':
    case 'BGPPeer':
    case 'BGPFilter':
    case 'Secret':
      return ok(undefined);
    default:
      return resource satisfies never;
  }
}

const oldOf = (write: Exclude<Write, { kind: 'delete' }>): Resource | undefined =>
  write.kind === 'update' ? write.old : undefined;

function admitPool(pool: IpPool, old: Resource | undefined, list: Lister): Result<void> {
  const { name } = pool.metadata;
  const refuse = (why: string): Result<void> => err(`Cannot accept IPPool "${name}": ${why}`);
  const useless = noPodRange(pool.spec.cidr);
  // One that is stored may be disabled and relabelled.
  if (useless !== undefined && !(old?.kind === 'IPPool' && old.spec.cidr === pool.spec.cidr)) {
    return refuse(`spec.cidr: ${useless}, expected a range that pods can have`);
  }
  if (old?.kind === 'IPPool') {
    if (old.spec.cidr !== pool.spec.cidr) {
      return refuse(`spec.cidr: "${pool.spec.cidr}", expected "${old.spec.cidr}" because it cannot change`);
    }
    if (blockSizeOf(old) !== blockSizeOf(pool)) {
      return refuse(`spec.blockSize: ${blockSizeOf(pool)}, expected ${blockSizeOf(old)} because it cannot change`);
    }
  } else {
    // What it was cannot be read; what was cut from it can.
    const misfit = blocksOf(name, list).find(({ spec: { cidr } }) => !fits(cidr, pool));
    if (misfit !== undefined) {
      const { cidr, node } = misfit.spec;
      const length = cidrLength(cidr);
      return refuse(
        `block "${cidr}" of node "${node}" is cut from it, expected a range around that, in blocks of /${length}`,
      );
    }
  }
  for (const other of list('IPPool')) {
    if (other.metadata.name === name || !cidrOverlaps(other.spec.cidr, pool.spec.cidr)) continue;
    return refuse(
      `spec.cidr: "${pool.spec.cidr}" overlaps "${other.spec.cidr}" of IPPool "${other.metadata.name}", expected a range of its own`,
    );
  }
  return ok(undefined);
}

const blocksOf = (pool: string, list: Lister): readonly IpBlock[] =>
  list('IPBlock').filter((block) => block.spec.pool === pool);

const fits = (block: Cidr, pool: IpPool): boolean =>
  cidrContainsCidr(pool.spec.cidr, block) && cidrLength(block) === blockSizeOf(pool);

function admitDelete(key: ResourceKey, list: Lister): Result<void> {
  const [kind, name = ''] = key.split('/');
  const blocks = kind === 'IPPool' ? blocksOf(name, list) : [];
  const [first] = blocks;
  if (first === undefined) return ok(undefined);
  const { cidr, node } = first.spec;
  const count = blocks.length === 1 ? '1 block is' : `${blocks.length} blocks are`;
  return err(
    `Cannot delete IPPool "${name}": ${count} cut from it, first "${cidr}" of node "${node}", expected none: set "disabled", and they go back once they have been empty for ten minutes; with "autoAllocateBlocks" false, delete them then`,
  );
}

// A fixed size and a name derived from the CIDR together make two overlapping blocks impossible.
function admitBlock(block: IpBlock, old: Resource | undefined, list: Lister): Result<void> {
  const { cidr, pool: poolName } = block.spec;
  const refuse = (why: string): Result<void> => err(`Cannot accept IPBlock "${block.metadata.name}": ${why}`);
  if (old?.kind === 'IPBlock' && old.spec.holder !== undefined && block.spec.holder === undefined) {
    return refuse('spec.holder is absent, expected it to stay: delete the IPBlock if nothing uses the block any more');
  }
  if (old?.kind === 'IPBlock' && old.spec.cidr === cidr && old.spec.pool === poolName) return ok(undefined);
  if (block.metadata.name !== ipBlockName(cidr)) return refuse(`metadata.name: expected "${ipBlockName(cidr)}"`);
  const pool = list('IPPool').find((candidate) => candidate.metadata.name === poolName);
  if (pool === undefined) return refuse(`spec.pool: IPPool "${poolName}" is not there, expected an existing pool`);
  if (!cidrContainsCidr(pool.spec.cidr, cidr)) {
    return refuse(`spec.cidr: "${cidr}" is outside "${pool.spec.cidr}" of IPPool "${poolName}", expected a part of it`);
  }
  if (cidrLength(cidr) !== blockSizeOf(pool)) {
    return refuse(`spec.cidr: "${cidr}", expected a /${blockSizeOf(pool)} as IPPool "${poolName}" has them`);
  }
  return ok(undefined);
}
