// The embedded store: one SQLite file (WAL) that several processes of one host share, behind the datastore port.
// Writers exclude each other with BEGIN IMMEDIATE; readers never wait; watchers are woken through a notify file.
import { randomUUID } from 'node:crypto';
import {
  isOfKind,
  KINDS,
  type Kind,
  type Resource,
  type ResourceKey,
  type ResourceOf,
  resourceKey,
} from '../resources/index.ts';
import { type Store, StoreError } from '../store.ts';
import { openDatabase } from './database.ts';
import { createNotifier } from './notifier.ts';
import { createRecords } from './records.ts';
import { createWatch } from './watch.ts';
import { createWriter } from './writer.ts';

export type EmbeddedStoreOptions = {
  /** The database file; beside it live `-wal`, `-shm` and `-notify`. Its directory must be there. */
  readonly path: string;
  /** What to do when the file is missing. Absent: create it, with mode 0600. */
  readonly missing?: 'create' | 'refuse';
  /** How many deletions are remembered for watchers that fall behind. Absent: 10000. */
  readonly keepTombstones?: number;
};

/** @throws StoreError unavailable, naming the path, when the file cannot be opened, written or is not a datastore */
export function openEmbeddedStore({ path, missing = 'create', keepTombstones = 10_000 }: EmbeddedStoreOptions): Store {
  const database = openDatabase(path, missing);
  const records = createRecords(database.sqlite);
  const notifier = createNotifier(path);
  const now = (): string => new Date().toISOString().replace(/\.\d+Z$/, 'Z');
  const writer = createWriter({ records, keepTombstones, stamp: { now, newUid: randomUUID } });

  const write = async <T>(action: () => T): Promise<T> => {
    const result = await database.write(action);
    notifier.notify();
    return result;
  };
  return {
    get: async (kind, namespace, name) => {
      const row = await database.read(() => records.get(keyFor(kind, namespace, name)));
      if (row === undefined) return undefined;
      const parsed = row.parse();
      if (!parsed.ok) throw new StoreError('invalid', parsed.error);
      return ofKind(parsed.value, kind);
    },
    list: async (kind, namespace) => {
      const { rows, version } = await database.read(() => ({
        rows: records.list(kind, KINDS[kind].namespaced ? namespace : undefined),
        version: records.version(),
      }));
      const items = rows.flatMap((row) => {
        const parsed = row.parse();
        return parsed.ok ? [ofKind(parsed.value, kind)] : [];
      });
      return { items, version: String(version) };
    },
    create: (resource) => write(() => writer.create(resource)),
    update: (resource) => write(() => writer.update(resource)),
    delete: (kind, namespace, name, version) => write(() => writer.remove(keyFor(kind, namespace, name), version)),
    watch: createWatch({ database, records, notifier }),
    close: () => {
      notifier.close();
      database.close();
    },
  };
}

/** Namespaced kinds live in `default` unless told otherwise; the others in no namespace. */
function keyFor(kind: Kind, namespace: string | undefined, name: string): ResourceKey {
  return resourceKey(kind, KINDS[kind].namespaced ? (namespace ?? 'default') : undefined, name);
}

// The key that the row was found by begins with the kind, and parsing has checked `kind` against the schema.
function ofKind<K extends Kind>(resource: Resource, kind: K): ResourceOf<K> {
  if (isOfKind(resource, kind)) return resource;
  throw new StoreError('invalid', `Cannot read ${kind} "${resource.metadata.name}": kind is "${resource.kind}"`);
}
