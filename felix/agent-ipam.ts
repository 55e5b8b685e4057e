// The node's address management, with the cluster's objects that it depends on (pools, labels, reservations, settings),
// and with the ages of assignments by a clock that does not jump.
import { join } from 'node:path';
import type { Store } from '../datastore/store.ts';
import { createIpam } from '../ipam/allocator.ts';
import type { Handle } from '../ipam/handle.ts';
import type { Ipam } from '../ipam/ipam.ts';
import type { Log } from '../lib/log.ts';
import type { Config } from './config.ts';
import type { Model } from './model/model.ts';

/** How often empty blocks are looked for, in milliseconds. */
const RELEASE_EVERY_MS = 60_000;

export type AgentIpam = Ipam & {
  /** Milliseconds since this process last gave or confirmed the assignment; `undefined`: an earlier one did. */
  readonly ageMs: (handle: Handle) => number | undefined;
};

/** @throws JournalError */
export async function openAgentIpam(options: {
  readonly store: Store;
  readonly config: Pick<Config, 'node' | 'stateDirectory' | 'datastore'>;
  readonly model: Pick<Model, 'pools' | 'addressing'>;
  readonly log: Log;
  readonly signal: AbortSignal;
}): Promise<AgentIpam> {
  const { store, config, model, log, signal } = options;
  const { nodeLabels, namespaceLabels, reservedCidrs, ipamConfiguration } = model.addressing;
  const ipam = await createIpam({
    store,
    node: config.node,
    // The embedded one, the only kind there is: SQLite shares its log in memory.
    isDatastoreLocal: config.datastore.kind === 'embedded',
    journalPath: join(config.stateDirectory, 'journal.db'),
    pools: model.pools,
    nodeLabels,
    namespaceLabels,
    reserved: reservedCidrs,
    settings: () => {
      const { ipCooldownSeconds = 0, maxBlocksPerHost = 0, autoAllocateBlocks } = ipamConfiguration()?.spec ?? {};
      const newBlocks = autoAllocateBlocks === false ? 'none' : undefined;
      return { cooldownMs: ipCooldownSeconds * 1000, maxBlocks: maxBlocksPerHost, newBlocks };
    },
    log,
  });
  const timer = setInterval(() => {
    ipam
      .releaseEmptyBlocks()
      .catch((error: unknown) => log.error({ err: error }, 'cannot look for empty address blocks'));
  }, RELEASE_EVERY_MS);
  signal.addEventListener('abort', () => clearInterval(timer), { once: true });
  return withAges(ipam, () => performance.now());
}

export function withAges(ipam: Ipam, monotonicMs: () => number): AgentIpam {
  const given = new Map<Handle, number>();
  return {
    ...ipam,
    assign: async (request) => {
      const outcome = await ipam.assign(request);
      if (outcome.kind === 'assigned') given.set(request.handle, monotonicMs());
      return outcome;
    },
    release: (handle, sequence) => {
      const released = ipam.release(handle, sequence);
      if (released !== undefined) given.delete(handle);
      return released;
    },
    ageMs: (handle) => {
      const at = given.get(handle);
      return at === undefined ? undefined : monotonicMs() - at;
    },
  };
}
