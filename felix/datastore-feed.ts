// Turns the datastore's watch into events of the model, for ever: a watch that breaks is opened again with backoff, and
// what vanished in the meantime is told as deleted. A broken store changes nothing that is in force, and neither does a
// store that was emptied or exchanged: a snapshot without this node's own Node is not believed. Of a policy, and of
// what addresses are given by, that cannot be read, what can be read of it is told, and the rest as closed.
import { setTimeout as delay } from 'node:timers/promises';
import { closedAddressing } from '../datastore/resources/closed-addressing.ts';
import { closedPolicy } from '../datastore/resources/closed-policy.ts';
import { type Kind, type ResourceKey, resourceKey } from '../datastore/resources/index.ts';
import type { Store, WatchEvent } from '../datastore/store.ts';
import type { Log } from '../lib/log.ts';
import type { DatastoreEvent } from './model/events.ts';

/** Kinds that the agent reads: the model all but IPBlock. */
const FED_KINDS = [
  'Namespace',
  'Node',
  'Pod',
  'Service',
  'EndpointSlice',
  'NetworkPolicy',
  'ClusterNetworkPolicy',
  'IPPool',
  'IPBlock',
  'IPReservation',
  'IPAMConfiguration',
  'BGPConfiguration',
  'BGPPeer',
  'BGPFilter',
  'Secret',
] as const satisfies readonly Kind[];

const RETRY_MS = { first: 50, most: 5000 } as const;

/** Ends when `signal` aborts. `onError` hears why the store cannot be watched now; `undefined` when it can again. */
export async function feedDatastore(options: {
  readonly store: Store;
  /** Name of this node. */
  readonly node: string;
  readonly dispatch: (event: DatastoreEvent) => void;
  readonly onError: (why: string | undefined) => void;
  readonly log: Log;
  readonly signal: AbortSignal;
}): Promise<void> {
  const { store, node, dispatch, onError, log, signal } = options;
  const ownNode = resourceKey('Node', undefined, node);
  let known = new Set<ResourceKey>();
  let retryMs: number = RETRY_MS.first;
  while (!signal.aborted) {
    const seen = new Set<ResourceKey>();
    const watch: { state: 'snapshot' | 'doubted' | 'live' } = { state: 'snapshot' };
    // What a later snapshot says waits until the snapshot is believed; the first one finds nothing in force. A block that
    // has another owner is doubted at once, and that takes nothing away.
    const held: DatastoreEvent[] = [];
    const tell = (event: DatastoreEvent, key: ResourceKey): void => {
      if (watch.state === 'live' || known.size === 0 || key.startsWith('IPBlock/')) dispatch(event);
      else held.push(event);
    };
    const believe = (version: string): void => {
      for (const event of held.splice(0)) dispatch(event);
      for (const key of known) {
        if (!seen.has(key)) dispatch({ kind: 'resource', change: { key, value: undefined }, version });
      }
      known = seen;
      watch.state = 'live';
      retryMs = RETRY_MS.first;
      onError(undefined);
      dispatch({ kind: 'in-sync', version });
    };
    try {
      for await (const event of store.watch(FED_KINDS, signal)) {
        if (event.kind === 'in-sync') {
          if (seen.has(ownNode)) believe(event.version);
          else {
            watch.state = 'doubted';
            const why = `Cannot believe the datastore: it has ${seen.size} objects without Node "${node}", expected this node`;
            log.error(why);
            onError(why);
          }
          continue;
        }
        if (event.kind === 'delete') seen.delete(event.key);
        else seen.add(event.key);
        tell(resourceEvent(event), event.key);
        if (watch.state === 'doubted' && seen.has(ownNode)) believe(event.version);
      }
    } catch (error) {
      if (signal.aborted) return;
      log.warn({ err: error, retryMs }, 'datastore watch broken');
      onError(error instanceof Error ? error.message : String(error));
    }
    await delay(retryMs, undefined, { signal }).catch(() => undefined);
    retryMs = Math.min(retryMs * 2, RETRY_MS.most);
  }
}

function resourceEvent(event: Exclude<WatchEvent, { kind: 'in-sync' }>): DatastoreEvent {
  const { key, version } = event;
  if (event.kind === 'invalid') {
    const value = closedPolicy(key, event.raw) ?? closedAddressing(key, event.raw);
    return { kind: 'resource', change: { key, value }, version, error: event.error };
  }
  return { kind: 'resource', change: { key, value: event.kind === 'put' ? event.resource : undefined }, version };
}
