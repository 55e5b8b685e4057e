// Sets free the address blocks of Nodes that are gone for good. What an agent that still runs without its Node has given out
// is not seen from here: only that the Node is gone, and that no Pod in the datastore may have an address of the block. So it
// must have been so for the whole grace, as a monotonic clock counts it; it is read once more just before; and a block that
// somebody takes up in between has another version, so that it stays.
import type { ResourceKey } from '../datastore/resources/index.ts';
import type { IpBlock } from '../datastore/resources/ip-block.ts';
import { IPAM_CONFIGURATION_NAME, leakGraceMs } from '../datastore/resources/ipam-configuration.ts';
import { type Store, StoreError, type WatchEvent } from '../datastore/store.ts';
import {
  createVanishedBlocks,
  type PodUse,
  podUse,
  unusedBlocks,
  type VanishedBlocks,
} from '../ipam/model/vanished-blocks.ts';
import type { Log } from '../lib/log.ts';
import { keepTrying } from './keep-trying.ts';

/** How often is looked, in milliseconds. */
const LOOK_MS = 2000;

export type VanishedBlocksOptions = {
  readonly store: Pick<Store, 'watch' | 'get' | 'list' | 'delete'>;
  readonly log: Log;
  readonly signal: AbortSignal;
};

/** Ends when `signal` aborts. */
export async function releaseVanishedBlocks(options: VanishedBlocksOptions): Promise<void> {
  // Outlives a broken watch: a block that nobody touched meanwhile has the same version.
  const vanished = createVanishedBlocks();
  await keepTrying(() => follow(options, vanished), options);
}

async function follow(options: VanishedBlocksOptions, vanished: VanishedBlocks): Promise<void> {
  const { store, log, signal } = options;
  const cluster = createCluster();
  let complete = false;
  let told: string | undefined;
  let releasing: Promise<void> | undefined;
  const look = (): void => {
    if (!complete) return;
    const { blocks, doubt } = vanished.due(cluster.look(), { nowMs: performance.now(), graceMs: cluster.graceMs() });
    if (doubt !== undefined && doubt !== told)
      log.warn({ why: doubt }, 'no address block of a vanished Node is released');
    told = doubt;
    if (blocks.length === 0) return;
    releasing ??= release(options, blocks)
      .catch((error: unknown) => log.warn({ err: error }, 'address blocks of vanished Nodes not released'))
      .finally(() => {
        releasing = undefined;
      });
  };
  const timer = setInterval(look, LOOK_MS);
  try {
    for await (const event of store.watch(['IPAMConfiguration', 'IPBlock', 'Node', 'Pod'], signal)) {
      if (event.kind === 'in-sync') complete = true;
      // A Node that comes back is seen, however short it stays.
      if (event.kind === 'in-sync' || cluster.accept(event) === 'other-nodes') look();
    }
  } finally {
    clearInterval(timer);
    await releasing;
  }
}

/** What the watch has told so far. A look goes through all of it: with a hundred thousand Pods, for some 50 ms. */
export function createCluster() {
  const blocks = new Map<ResourceKey, IpBlock>();
  const nodes = new Map<ResourceKey, string>();
  const pods = new Map<ResourceKey, PodUse>();
  let graceMs = leakGraceMs(undefined);
  return {
    /** `other-nodes`: a Node came or went. */
    accept: (event: Exclude<WatchEvent, { kind: 'in-sync' }>): 'other-nodes' | undefined => {
      const { key } = event;
      const [kind = '', name = ''] = key.split('/');
      const resource = event.kind === 'put' ? event.resource : undefined;
      const isThere = event.kind !== 'delete';
      if (kind === 'Node') {
        const isNews = nodes.has(key) !== isThere;
        if (isThere) nodes.set(key, name);
        else nodes.delete(key);
        return isNews ? 'other-nodes' : undefined;
      }
      if (kind === 'Pod') {
        if (isThere) pods.set(key, resource?.kind === 'Pod' ? podUse(resource) : { kind: 'unknown' });
        else pods.delete(key);
      } else if (kind === 'IPBlock') {
        if (resource?.kind === 'IPBlock') blocks.set(key, resource);
        else blocks.delete(key);
      } else if (name === IPAM_CONFIGURATION_NAME) {
        // One that cannot be read may say: never.
        if (event.kind === 'invalid') graceMs = undefined;
        else graceMs = leakGraceMs(resource?.kind === 'IPAMConfiguration' ? resource : undefined);
      }
      return undefined;
    },
    look: () => ({ blocks: [...blocks.values()], nodes: new Set(nodes.values()), pods: [...pods.values()] }),
    graceMs: () => graceMs,
  };
}

/** @throws StoreError when the datastore cannot be asked: the next look comes again */
async function release({ store, log }: VanishedBlocksOptions, blocks: readonly IpBlock[]): Promise<void> {
  const pods = (await store.list('Pod')).items.map(podUse);
  for (const { metadata, spec } of unusedBlocks(blocks, pods)) {
    const { cidr, node } = spec;
    const { name, resourceVersion } = metadata;
    // Without a version the delete would hit whoever has claimed the block meanwhile.
    if (resourceVersion === undefined || (await store.get('Node', undefined, node)) !== undefined) continue;
    try {
      await store.delete('IPBlock', undefined, name, resourceVersion);
      log.info({ block: cidr, node }, 'released an address block: its Node is gone, and no Pod has an address of it');
    } catch (error) {
      // Another controller was first, or somebody has taken the block up.
      if (!(error instanceof StoreError && (error.code === 'conflict' || error.code === 'not-found'))) throw error;
    }
  }
}
