// What the datastore says of this node's address blocks while the agent runs: somebody may delete an IPBlock that pods
// live in, and another node may then claim it. From the moment the agent hears of it nothing is assigned from such a
// block, and blocks and datastore are compared: what nobody has is created again, what another node has is given up.
import { type ResourceKey, resourceKey } from '../datastore/resources/index.ts';
import { ipBlockName } from '../datastore/resources/ip-block.ts';
import type { Ipam, OwnedBlock } from '../ipam/ipam.ts';
import { isSameHolder } from '../ipam/model/block-holder.ts';
import type { Cidr } from '../lib/cidr.ts';
import type { Log } from '../lib/log.ts';
import { untilDone } from '../lib/until-done.ts';
import type { DatastoreEvent } from './model/events.ts';

export type OwnBlocks = {
  /** Hears every event of the datastore; of IPBlocks those that are not as this node has them concern it. */
  readonly accept: (event: DatastoreEvent) => void;
};

/** @throws Error when that is not possible now */
export async function compareBlocks(ipam: Pick<Ipam, 'start'>, trust?: 'with-own-node'): Promise<void> {
  const outcome = await ipam.start(trust);
  if (outcome.kind === 'unavailable') throw new Error(outcome.why);
}

export function followOwnBlocks(options: {
  /** Name of this node. */
  readonly node: string;
  readonly ipam: Pick<Ipam, 'start' | 'doubt' | 'blocks' | 'stranded' | 'holder' | 'onBlocksChanged'>;
  /** After each comparison. */
  readonly onCompared: () => void;
  readonly log: Log;
  readonly signal: AbortSignal;
}): OwnBlocks {
  const { node, ipam, onCompared, log, signal } = options;
  const ownNode = resourceKey('Node', undefined, node);
  let own: ReadonlyMap<ResourceKey, Cidr> = new Map();
  const remember = (blocks: readonly OwnedBlock[]): void => {
    own = new Map(blocks.map(({ name, cidr }) => [resourceKey('IPBlock', undefined, name), cidr]));
  };
  remember(ipam.blocks());
  ipam.onBlocksChanged(remember);
  // Their blocks stay doubted, and nothing else tells that they can be read again.
  const unreadable = new Set<ResourceKey>();
  let isSynced = false;
  let uid: string | undefined;
  let asked = 0;
  let isComparing = false;

  // What an emptied or exchanged datastore does not have takes nothing away.
  const compareOnce = (): Promise<void> => compareBlocks(ipam, 'with-own-node');
  const compare = async (): Promise<void> => {
    asked++;
    if (isComparing) return;
    isComparing = true;
    try {
      for (let done = 0; done !== asked; ) {
        done = asked;
        await untilDone('compare own address blocks', compareOnce, { log, signal });
      }
      onCompared();
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      isComparing = false;
    }
  };

  const isStranded = (key: ResourceKey): boolean =>
    ipam.stranded().some(({ cidr }) => resourceKey('IPBlock', undefined, ipBlockName(cidr)) === key);

  return {
    accept: (event) => {
      if (event.kind === 'in-sync') {
        isSynced = true;
        void compare();
        return;
      }
      const { key, value } = event.change;
      if (key === ownNode) {
        const before = uid;
        uid = value?.metadata.uid;
        // Blocks that were claimed while there was no Node get its uid.
        if (isSynced && uid !== undefined && uid !== before) void compare();
      }
      if (!key.startsWith('IPBlock/')) return;
      const cidr = own.get(key);
      const wasUnreadable = unreadable.delete(key);
      if (cidr !== undefined && event.error !== undefined) unreadable.add(key);
      const spec = value?.kind === 'IPBlock' && value.spec.node === node ? value.spec : undefined;
      const isMine = spec !== undefined && isSameHolder(spec.holder, ipam.holder);
      // One that was left alone may be gone, or this agent's now.
      const isNews = cidr === undefined ? spec !== undefined || isStranded(key) : !isMine;
      if (!isNews && !wasUnreadable) return;
      if (cidr !== undefined && !isMine) ipam.doubt(cidr, event.error === undefined ? 'changed' : 'unreadable');
      // What the snapshot says is compared when it is complete.
      if (isSynced) void compare();
    },
  };
}
