// The SQLite file itself: opening and creating it, transactions that wait for other processes without blocking the event
// loop, and SQLite's errors in the datastore's terms.
import { accessSync, closeSync, constants, existsSync, openSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { setTimeout as delay } from 'node:timers/promises';
import { StoreError } from '../store.ts';

/** `application_id` of the file: "mgyd". */
const APPLICATION_ID = 0x6d677964;
const FORMAT = 1;
const CACHE_KIB = 256;
/** How long a call waits for other processes' locks. */
const LOCK_TIMEOUT_MS = 15_000;

// `key` is `Kind/name` or `Kind/namespace/name`. A deleted object leaves a row without `json`, its tombstone, so that
// "everything after version V" is one range of the version index; `state.floor` is the newest tombstone thrown away.
const SCHEMA = `
CREATE TABLE objects (key TEXT PRIMARY KEY, kind TEXT NOT NULL, version INTEGER NOT NULL, json TEXT) WITHOUT ROWID;
CREATE UNIQUE INDEX objects_version ON objects (version);
CREATE INDEX tombstones ON objects (version) WHERE json IS NULL;
CREATE TABLE state (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL, floor INTEGER NOT NULL);
INSERT INTO state VALUES (1, 0, 0);
PRAGMA application_id = ${APPLICATION_ID};
PRAGMA user_version = ${FORMAT};
`;

export type Database = {
  readonly path: string;
  readonly sqlite: DatabaseSync;
  /** Runs `action` on one snapshot. @throws StoreError unavailable */
  readonly read: <T>(action: () => T) => Promise<T>;
  /** Runs `action` alone among all writers; an exception undoes it. @throws StoreError unavailable */
  readonly write: <T>(action: () => T) => Promise<T>;
  /** @throws StoreError unavailable when the file was removed or replaced */
  readonly checkFile: () => void;
  readonly close: () => void;
};

/** @throws StoreError unavailable */
export function openDatabase(path: string, missing: 'create' | 'refuse'): Database {
  prepareFile(path, missing);
  const sqlite = connect(path);
  const inode = statSync(path).ino;
  let open = true;
  const transaction = async <T>(begin: string, verb: string, action: () => T): Promise<T> => {
    const deadline = performance.now() + LOCK_TIMEOUT_MS;
    for (;;) {
      if (!open) throw unavailable(verb, path, 'it was closed');
      try {
        return inTransaction(sqlite, begin, action);
      } catch (error) {
        if (!isSqliteError(error)) throw error;
        if (!isBusy(error)) throw unavailable(verb, path, error.message, error);
        if (performance.now() > deadline) throw unavailable(verb, path, `locked for ${LOCK_TIMEOUT_MS} ms`, error);
      }
      await delay(1 + Math.random() * 4);
    }
  };
  return {
    path,
    sqlite,
    read: (action) => transaction('BEGIN', 'read', action),
    write: (action) => transaction('BEGIN IMMEDIATE', 'write', action),
    checkFile: () => {
      if (statSync(path, { throwIfNoEntry: false })?.ino === inode) return;
      throw unavailable('read', path, 'the file was removed, expected it to stay while it is open');
    },
    close: () => {
      if (!open) return;
      open = false;
      sqlite.close();
    },
  };
}

function inTransaction<T>(sqlite: DatabaseSync, begin: string, action: () => T): T {
  sqlite.exec(begin);
  try {
    const result = action();
    sqlite.exec('COMMIT');
    return result;
  } catch (error) {
    // SQLite itself rolls back after some errors (full disk, I/O), and a second ROLLBACK would hide the first error.
    if (sqlite.isTransaction) sqlite.exec('ROLLBACK');
    throw error;
  }
}

function prepareFile(path: string, missing: 'create' | 'refuse'): void {
  try {
    if (existsSync(path)) {
      if (!statSync(path).isFile()) throw unavailable('open', path, 'not a file, expected a database file');
      // Not by opening it: closing a second descriptor would drop the locks of this process's other handles.
      accessSync(path, constants.R_OK | constants.W_OK);
      return;
    }
    if (!existsSync(dirname(path))) {
      throw unavailable('open', path, `directory "${dirname(path)}" is missing, expected it to be there`);
    }
    if (missing === 'refuse')
      throw unavailable(
        'open',
        path,
        'the file is missing, expected a datastore ("margay apply --create-datastore" makes one)',
      );
    closeSync(openSync(path, constants.O_CREAT | constants.O_RDWR, 0o600));
  } catch (error) {
    if (error instanceof StoreError) throw error;
    throw unavailable('open', path, notWritable(codeOf(error)), error);
  }
}

function connect(path: string): DatabaseSync {
  let sqlite: DatabaseSync | undefined;
  try {
    sqlite = new DatabaseSync(path, { timeout: LOCK_TIMEOUT_MS });
    // Pages are cached by the kernel already; each of them that SQLite keeps is there twice.
    sqlite.exec(`PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -${CACHE_KIB}`);
    const db = sqlite;
    inTransaction(db, 'BEGIN IMMEDIATE', () => initialise(db, path));
    // From here on waiting is done by `transaction`, which keeps the event loop free.
    sqlite.exec('PRAGMA busy_timeout = 2');
    return sqlite;
  } catch (error) {
    sqlite?.close();
    if (error instanceof StoreError) throw error;
    const why = error instanceof Error ? error.message : String(error);
    throw unavailable('open', path, isReadonly(error) ? notWritable(why) : why, error);
  }
}

function initialise(sqlite: DatabaseSync, path: string): void {
  const application = sqlite.prepare('PRAGMA application_id').get()?.['application_id'];
  const tables = sqlite.prepare('SELECT count(*) AS n FROM sqlite_schema').get()?.['n'];
  if (application === 0 && tables === 0) {
    sqlite.exec(SCHEMA);
    return;
  }
  if (application !== APPLICATION_ID) {
    throw unavailable('open', path, 'a database of another program, expected a datastore');
  }
  const format = sqlite.prepare('PRAGMA user_version').get()?.['user_version'];
  if (format !== FORMAT) throw unavailable('open', path, `format ${format}, expected ${FORMAT}`);
}

function unavailable(verb: string, path: string, why: string, cause?: unknown): StoreError {
  return new StoreError('unavailable', `Cannot ${verb} datastore "${path}": ${why}`, { cause });
}

const notWritable = (why: string): string => `not writable (${why}), expected read and write permission`;

type SqliteError = Error & { readonly errcode: number };

const isSqliteError = (error: unknown): error is SqliteError =>
  error instanceof Error && 'errcode' in error && typeof error.errcode === 'number';

/** https://sqlite.org/rescode.html SQLITE_BUSY 5 and SQLITE_LOCKED 6, in the low byte of an extended code */
const isBusy = (error: SqliteError): boolean => [5, 6].includes(error.errcode & 0xff);

/** SQLITE_READONLY 8 */
const isReadonly = (error: unknown): boolean => isSqliteError(error) && (error.errcode & 0xff) === 8;

const codeOf = (error: unknown): string =>
  error instanceof Error && 'code' in error ? String(error.code) : String(error);
