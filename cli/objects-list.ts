// The objects of a kind for get and delete. One that cannot be read is named, so that nobody takes the answer for whole.
import { readSnapshot, unreadableSentence } from '../datastore/read-snapshot.ts';
import { isOfKind, KINDS, type Kind, keyOf, type ResourceKey, type ResourceOf } from '../datastore/resources/index.ts';
import type { Store } from '../datastore/store.ts';
import { reportFailure } from './objects-report.ts';

/**
 * In the order of their keys; `namespace` absent: of all. `unreadable` are the names of those that cannot be read, each
 * with the sentence about it.
 */
export async function listObjects<K extends Kind>(
  store: Pick<Store, 'watch'>,
  kind: K,
  namespace: string | undefined,
): Promise<{ readonly items: readonly ResourceOf<K>[]; readonly unreadable: ReadonlyMap<string, string> }> {
  const { resources, unreadable } = await readSnapshot(store, [kind]);
  const prefix = KINDS[kind].namespaced && namespace !== undefined ? `${kind}/${namespace}/` : `${kind}/`;
  const isAsked = (key: ResourceKey): boolean => key.startsWith(prefix);
  const byKey = resources.map((resource) => [keyOf(resource), resource] as const).filter(([key]) => isAsked(key));
  return {
    items: byKey
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([, resource]) => resource)
      .filter((resource) => isOfKind(resource, kind)),
    unreadable: new Map(
      [...unreadable]
        .filter(([key]) => isAsked(key))
        .sort(([a], [b]) => (a < b ? -1 : 1))
        .map((entry) => [entry[0].slice(entry[0].lastIndexOf('/') + 1), unreadableSentence(entry)]),
    ),
  };
}

/** What is left when the unreadable ones are told, with exit code 1. */
export async function listReadable<K extends Kind>(
  store: Pick<Store, 'watch'>,
  kind: K,
  namespace: string | undefined,
): Promise<readonly ResourceOf<K>[]> {
  const { items, unreadable } = await listObjects(store, kind, namespace);
  for (const sentence of unreadable.values()) reportFailure(new Error(sentence));
  return items;
}
