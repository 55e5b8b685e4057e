// A watch: a snapshot, then, after each wake-up, the objects written since. There is no queue: a slow consumer reads the
// newest state of what changed, and one that is slower than the memory of deletions is told to begin again. The objects of
// the snapshot are read some at a time, since all at once would be many times what a consumer keeps of them; one that is
// written meanwhile is told as it is then, and once more after the snapshot.
import { setImmediate as breathe } from 'node:timers/promises';
import { type Store, StoreError, type WatchEvent } from '../store.ts';
import type { Database } from './database.ts';
import type { Notifier } from './notifier.ts';
import type { Records, StoredChange, StoredRow } from './records.ts';

/** Rows read at once, and events after which the event loop gets a turn. */
const BATCH = 500;

export function createWatch(deps: {
  readonly database: Database;
  readonly records: Records;
  readonly notifier: Notifier;
}): Store['watch'] {
  const { database, records, notifier } = deps;
  return async function* watch(kinds, signal) {
    if (signal.aborted) return;
    const wake = createWake();
    const unsubscribe = notifier.subscribe(wake.set);
    signal.addEventListener('abort', wake.set);
    try {
      const snapshot = await database.read(() => ({
        keys: kinds.flatMap((kind) => records.keys(kind)),
        version: records.version(),
      }));
      while (snapshot.keys.length > 0) {
        const keys = snapshot.keys.splice(0, BATCH);
        const rows = await database.read(() => keys.flatMap((key) => records.get(key) ?? []));
        for (const row of rows) {
          if (signal.aborted) return;
          yield eventOf(row);
        }
        await breathe();
      }
      yield { kind: 'in-sync', version: String(snapshot.version) };
      let position = snapshot.version;
      while (!signal.aborted) {
        wake.clear();
        database.checkFile();
        const from = position;
        const { changes, floor, version } = await database.read(() => ({
          changes: records.version() === from ? [] : records.changesAfter(from, kinds, BATCH),
          floor: records.floor(),
          version: records.version(),
        }));
        if (floor > from) throw gone(from, floor);
        for (const change of changes) {
          if (signal.aborted) return;
          yield changeEventOf(change);
        }
        if (changes.length === BATCH) {
          position = changes.at(-1)?.version ?? position;
          await breathe();
        } else {
          position = version;
          await wake.wait();
        }
      }
    } finally {
      signal.removeEventListener('abort', wake.set);
      unsubscribe();
    }
  };
}

function changeEventOf({ key, version, row }: StoredChange): WatchEvent {
  return row === undefined ? { kind: 'delete', key, version: String(version) } : eventOf(row);
}

function eventOf({ key, version: at, parse, raw }: StoredRow): WatchEvent {
  const version = String(at);
  const parsed = parse();
  return parsed.ok
    ? { kind: 'put', key, resource: parsed.value, version }
    : { kind: 'invalid', key, error: parsed.error, raw: raw(), version };
}

function gone(position: number, floor: number): StoreError {
  const why = `deletions up to version ${floor} are forgotten, expected a watcher at that version or later`;
  return new StoreError('gone', `Cannot watch from version ${position}: ${why}`);
}

/** A flag that can be waited for: a wake-up between a read and the wait is not lost. */
function createWake(): { readonly set: () => void; readonly clear: () => void; readonly wait: () => Promise<void> } {
  let isSet = false;
  let resolve: (() => void) | undefined;
  return {
    set: () => {
      isSet = true;
      resolve?.();
    },
    clear: () => {
      isSet = false;
    },
    wait: () =>
      new Promise((done) => {
        if (isSet) done();
        else resolve = done;
      }),
  };
}
