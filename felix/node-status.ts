// Writes the status of the NodeStatus objects that are for this node: every period of each, and sooner when a session
// comes or goes. A datastore that cannot be written is tried again with the next period.
import { setTimeout as delay } from 'node:timers/promises';
import type { BgpPeersView, BgpRoutesView } from '../bgp/view.ts';
import type { ResourceKey } from '../datastore/resources/index.ts';
import type { NodeStatus } from '../datastore/resources/node-status.ts';
import type { Store } from '../datastore/store.ts';
import type { Log } from '../lib/log.ts';
import { statusOf } from './node-status-of.ts';

const DEFAULT_PERIOD_SECONDS = 10;
/** Changes are written at most so often, and a broken watch is opened again after so long, in milliseconds. */
const PACE_MS = 1000;
const RETRY_MS = 5000;

export type NodeStatusOptions = {
  readonly store: Store;
  /** Name of this node. */
  readonly node: string;
  readonly peers: () => Promise<BgpPeersView>;
  readonly routes: () => Promise<BgpRoutesView>;
  readonly log: Log;
  readonly signal: AbortSignal;
};

export type NodeStatusWriter = {
  /** A session came or went. */
  readonly changed: () => void;
};

/** Works until `signal` aborts. */
export function keepNodeStatus(options: NodeStatusOptions): NodeStatusWriter {
  const { store, node, log, signal } = options;
  const wanted = new Map<ResourceKey, NodeStatus>();
  const timers = new Map<ResourceKey, { readonly timer: NodeJS.Timeout; readonly dueMs: number }>();
  const writing = new Set<ResourceKey>();

  const forget = (key: ResourceKey): void => {
    wanted.delete(key);
    clearTimeout(timers.get(key)?.timer);
    timers.delete(key);
  };
  /** What is due sooner stays so. */
  const writeIn = (key: ResourceKey, ms: number): void => {
    const dueMs = performance.now() + ms;
    const waiting = timers.get(key);
    if (waiting !== undefined && waiting.dueMs <= dueMs) return;
    clearTimeout(waiting?.timer);
    timers.set(key, { dueMs, timer: setTimeout(() => void write(key), ms) });
  };
  const write = async (key: ResourceKey): Promise<void> => {
    timers.delete(key);
    const object = wanted.get(key);
    if (object === undefined) return;
    if (writing.has(key)) return writeIn(key, PACE_MS);
    writing.add(key);
    try {
      const { classes } = object.spec;
      const views = {
        peers: await options.peers(),
        ...(classes.includes('Routes') && { routes: await options.routes() }),
        nowText: new Date().toISOString(),
      };
      // A write of somebody else in the meantime comes by the watch, and is the next to be written on.
      wanted.set(key, await store.update({ ...object, status: statusOf(object, views) }));
    } catch (error) {
      if (!signal.aborted) log.debug({ err: error, object: key }, 'node status not written');
    } finally {
      writing.delete(key);
      if (wanted.has(key) && !signal.aborted) writeIn(key, periodMs(object));
    }
  };
  const take = (key: ResourceKey, object: NodeStatus | undefined): void => {
    if (object === undefined || object.spec.node !== node || periodMs(object) === 0) {
      forget(key);
      return;
    }
    const before = wanted.get(key);
    wanted.set(key, object);
    if (before === undefined || JSON.stringify(before.spec) !== JSON.stringify(object.spec)) writeIn(key, 0);
  };
  const stop = (): void => {
    for (const { timer } of timers.values()) clearTimeout(timer);
  };
  signal.addEventListener('abort', stop, { once: true });

  void (async () => {
    while (!signal.aborted) {
      try {
        for await (const event of store.watch(['NodeStatus'], signal)) {
          if (event.kind === 'in-sync') continue;
          take(event.key, event.kind === 'put' && event.resource.kind === 'NodeStatus' ? event.resource : undefined);
        }
      } catch (error) {
        if (!signal.aborted) log.debug({ err: error }, 'watch of node status broken');
      }
      await delay(RETRY_MS, undefined, { signal }).catch(() => undefined); // Aborted: the loop's condition ends it.
    }
  })();

  return {
    changed: () => {
      for (const key of wanted.keys()) writeIn(key, PACE_MS);
    },
  };
}

const periodMs = ({ spec }: NodeStatus): number => (spec.updatePeriodSeconds ?? DEFAULT_PERIOD_SECONDS) * 1000;
