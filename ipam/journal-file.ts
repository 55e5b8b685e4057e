// Opens the journal's SQLite file. What is not a sound journal of this node is moved aside, never trusted and never
// deleted. One process at a time holds the file: two agents on one journal would promise one address twice.
import { chmodSync, closeSync, existsSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { err, ok, type Result } from '../lib/result.ts';
import { JournalError, reasonOf } from './journal-error.ts';
import { type JournalSnapshot, readSnapshot } from './journal-snapshot.ts';

export type JournalFile = {
  readonly sqlite: DatabaseSync;
  readonly snapshot: JournalSnapshot;
  /** Why and where to an unusable file was moved. Absent: there was none. */
  readonly recovered?: { readonly movedTo: string; readonly why: string };
};

/** `PRAGMA application_id` of a journal: "mgyj". */
const APPLICATION_ID = 0x6d67796a;
const FORMAT = 1;
/** How long to wait for a predecessor that is still ending. */
const BUSY_MS = 2000;

/** @throws JournalError unwritable or busy */
export function openJournalFile(path: string, node: string): JournalFile {
  const first = attempt(path, node);
  if (first.ok) return first.value;
  const movedTo = moveAside(path);
  const second = attempt(path, node);
  if (second.ok) return { ...second.value, recovered: { movedTo, why: first.error } };
  throw new JournalError('unwritable', `Cannot start a new journal "${path}": ${second.error}`);
}

/** The error says what is wrong with the content; all other trouble is thrown. */
function attempt(path: string, node: string): Result<JournalFile> {
  const sqlite = openSqlite(path);
  if (!sqlite.ok) return sqlite;
  let sound = false;
  try {
    const content = readAs(path, () => {
      const damage = prepare(sqlite.value, node);
      return damage === undefined ? readSnapshot(sqlite.value) : err(damage);
    });
    const snapshot = content.ok ? content.value : content;
    if (!snapshot.ok) return snapshot;
    sound = true;
    return ok({ sqlite: sqlite.value, snapshot: snapshot.value });
  } finally {
    if (!sound) sqlite.value.close();
  }
}

function openSqlite(path: string): Result<DatabaseSync> {
  try {
    makeDirectory(dirname(path));
    // SQLite gives its side files the mode of the main one. A file that is there is not opened here: closing the
    // descriptor would drop the locks that this process has on it.
    if (!existsSync(path)) closeSync(openSync(path, 'ax', 0o600));
    else if (statSync(path).size === 0) return err('it is empty');
    else chmodSync(path, 0o600);
  } catch (error) {
    throw new JournalError('unwritable', `Cannot open journal "${path}": ${reasonOf(error)}`, { cause: error });
  }
  return readAs(path, () => new DatabaseSync(path, { timeout: BUSY_MS }));
}

// Step by step: the recursive mode of mkdirSync never returns where a file system refuses with ENOENT, as /proc does.
function makeDirectory(path: string): void {
  if (existsSync(path)) return;
  makeDirectory(dirname(path));
  mkdirSync(path, { mode: 0o700 });
}

/** What is wrong with the content of the database, `undefined` when it is sound; a new one gets its tables. */
function prepare(sqlite: DatabaseSync, node: string): string | undefined {
  // In exclusive mode the lock is held until the process ends, by whatever signal. With synchronous=NORMAL a commit
  // survives that too; only a crash of the machine may lose the last ones, and then all assignments are void anyway.
  sqlite.exec('PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL');
  sqlite.exec('BEGIN IMMEDIATE; COMMIT; PRAGMA foreign_keys = ON');
  if (numberOf(sqlite, 'SELECT count(*) AS n FROM sqlite_schema') === 0) create(sqlite, node);
  if (numberOf(sqlite, 'SELECT application_id AS n FROM pragma_application_id') !== APPLICATION_ID) {
    return 'it is not a Margay journal';
  }
  const format = numberOf(sqlite, 'SELECT user_version AS n FROM pragma_user_version');
  if (format !== FORMAT) return `its format is ${format}, expected ${FORMAT}`;
  const check = sqlite.prepare('PRAGMA quick_check(1)').get()?.['quick_check'];
  if (check !== 'ok') return `it is damaged: ${check}`;
  // A header may forbid writing, which a transaction finds out with its first statement; a full disk is no matter here.
  sqlite.exec("BEGIN; UPDATE meta SET value = value WHERE key = 'node'; ROLLBACK");
  const owner = sqlite.prepare("SELECT value FROM meta WHERE key = 'node'").get()?.['value'];
  return owner === node ? undefined : `it belongs to node "${owner}", expected "${node}"`;
}

function create(sqlite: DatabaseSync, node: string): void {
  sqlite.exec(`
    BEGIN IMMEDIATE;
    PRAGMA application_id = ${APPLICATION_ID};
    PRAGMA user_version = ${FORMAT};
    CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE block (cidr TEXT PRIMARY KEY, pool TEXT NOT NULL) STRICT, WITHOUT ROWID;
    CREATE TABLE assignment (handle TEXT PRIMARY KEY, record TEXT NOT NULL) STRICT, WITHOUT ROWID;
    -- One row per address that was ever used: either someone has it, or it was released as the nth of all.
    CREATE TABLE address (
      ip TEXT PRIMARY KEY,
      handle TEXT REFERENCES assignment (handle),
      released INTEGER UNIQUE,
      CHECK ((handle IS NULL) <> (released IS NULL))
    ) STRICT, WITHOUT ROWID;
    CREATE INDEX address_by_handle ON address (handle);
  `);
  const insert = sqlite.prepare('INSERT INTO meta VALUES (?, ?)');
  insert.run('node', node);
  insert.run('sequence', '0');
  sqlite.exec('COMMIT');
}

const numberOf = (sqlite: DatabaseSync, sql: string): number => Number(sqlite.prepare(sql).get()?.['n']);

// Primary result codes of SQLite (sqlite.org/rescode.html); node:sqlite reports the extended ones.
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
/** Without an extended code, once the file's mode could be set: it is the content that says so. */
const SQLITE_READONLY = 8;
const SQLITE_CORRUPT = 11;
const SQLITE_SCHEMA_ERROR = 1;
const SQLITE_NOTADB = 26;

/** Tells damaged content (an answer) from a file that cannot be used at all (thrown). */
function readAs<T>(path: string, action: () => T): Result<T> {
  try {
    return ok(action());
  } catch (error) {
    const extended = error instanceof Error && 'errcode' in error ? Number(error.errcode) : undefined;
    const code = extended === undefined ? undefined : extended & 0xff;
    const isDamage = code === SQLITE_CORRUPT || code === SQLITE_NOTADB || code === SQLITE_SCHEMA_ERROR;
    if (isDamage || extended === SQLITE_READONLY) return err(reasonOf(error));
    if (code === SQLITE_BUSY || code === SQLITE_LOCKED) {
      const message = `Cannot open journal "${path}": another process has it open, expected one agent per node`;
      throw new JournalError('busy', message, { cause: error });
    }
    throw new JournalError('unwritable', `Cannot open journal "${path}": ${reasonOf(error)}`, { cause: error });
  }
}

/** Renames the file with its side files and returns the new name. */
function moveAside(path: string): string {
  let n = 1;
  while (existsSync(`${path}.corrupt-${n}`)) n++;
  const target = `${path}.corrupt-${n}`;
  try {
    for (const suffix of ['-wal', '-shm', '']) {
      if (existsSync(`${path}${suffix}`)) renameSync(`${path}${suffix}`, `${target}${suffix}`);
    }
  } catch (error) {
    throw new JournalError('unwritable', `Cannot move journal "${path}" aside: ${reasonOf(error)}`, { cause: error });
  }
  return target;
}
