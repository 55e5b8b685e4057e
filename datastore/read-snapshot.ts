// All objects of some kinds at one version, with those that cannot be read: `list()` leaves them out, and who concludes
// from what is not there must know that.
import type { Kind, Resource, ResourceKey } from './resources/index.ts';
import type { Store } from './store.ts';

export type Snapshot = {
  readonly resources: readonly Resource[];
  /** Why each of the others cannot be read. */
  readonly unreadable: ReadonlyMap<ResourceKey, string>;
};

/** @throws StoreError unavailable */
export async function readSnapshot(store: Pick<Store, 'watch'>, kinds: readonly Kind[]): Promise<Snapshot> {
  const resources: Resource[] = [];
  const unreadable = new Map<ResourceKey, string>();
  const stop = new AbortController();
  try {
    for await (const event of store.watch(kinds, stop.signal)) {
      if (event.kind === 'in-sync') break;
      if (event.kind === 'put') resources.push(event.resource);
      else if (event.kind === 'invalid') unreadable.set(event.key, event.error);
    }
  } finally {
    stop.abort();
  }
  return { resources, unreadable };
}

/** `key` as in `unreadable`, and its value, which may say again what object it is about. */
export const unreadableSentence = ([key, why]: readonly [ResourceKey, string]): string =>
  `Cannot read ${key.replace('/', ' "')}": ${why.replace(/^Cannot accept ([A-Za-z]+ "[^"]*": )?/, '')}`;
