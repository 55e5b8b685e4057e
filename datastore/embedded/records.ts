// The rows of the embedded store as prepared statements; everything here runs inside a transaction of the caller.
import type { DatabaseSync } from 'node:sqlite';
import { err, type Result } from '../../lib/result.ts';
import { KINDS, type Kind, type Resource, type ResourceKey } from '../resources/index.ts';
import { parseResource } from '../resources/parse.ts';

/** A stored object, not yet parsed: reading many rows costs only those that are used. */
export type StoredRow = {
  readonly key: ResourceKey;
  readonly version: number;
  /** With `metadata.resourceVersion` filled in. */
  readonly parse: () => Result<Resource>;
  /** As it is stored; undefined when that is not JSON. */
  readonly raw: () => unknown;
};

/** The newest state of one object; without `row` it was deleted. */
export type StoredChange = { readonly key: ResourceKey; readonly version: number; readonly row: StoredRow | undefined };

export type Records = {
  /** Version of the last write; 0 before the first. */
  readonly version: () => number;
  /** Changes up to this version may be incomplete: tombstones were thrown away. */
  readonly floor: () => number;
  readonly get: (key: string) => StoredRow | undefined;
  /** Sorted by key. */
  readonly list: (kind: Kind, namespace?: string) => readonly StoredRow[];
  /** Of all objects of a kind, sorted. */
  readonly keys: (kind: Kind) => readonly ResourceKey[];
  /** Objects written after `version`, in the order of their last write. */
  readonly changesAfter: (version: number, kinds: readonly Kind[], limit: number) => readonly StoredChange[];
  /** Takes the next version. */
  readonly nextVersion: () => number;
  readonly put: (key: string, kind: Kind, version: number, json: string) => void;
  /** Turns a row into its tombstone. */
  readonly bury: (key: string, version: number) => void;
  /** Throws away all but the newest `keep` tombstones. */
  readonly trim: (keep: number) => void;
};

export function createRecords(sqlite: DatabaseSync): Records {
  const state = sqlite.prepare('SELECT version, floor FROM state');
  const get = sqlite.prepare('SELECT key, version, json FROM objects WHERE key = ? AND json IS NOT NULL');
  const range = sqlite.prepare(
    'SELECT key, version, json FROM objects WHERE key >= ? AND key < ? AND json IS NOT NULL ORDER BY key',
  );
  const keys = sqlite.prepare('SELECT key FROM objects WHERE key >= ? AND key < ? AND json IS NOT NULL ORDER BY key');
  const after = sqlite.prepare(
    `SELECT key, version, json FROM objects
     WHERE version > ? AND kind IN (SELECT value FROM json_each(?)) ORDER BY version LIMIT ?`,
  );
  const next = sqlite.prepare('UPDATE state SET version = version + 1 RETURNING version');
  const put = sqlite.prepare('INSERT OR REPLACE INTO objects (key, kind, version, json) VALUES (?, ?, ?, ?)');
  const bury = sqlite.prepare('UPDATE objects SET json = NULL, version = ? WHERE key = ?');
  const oldest = sqlite.prepare(
    'SELECT version FROM objects WHERE json IS NULL ORDER BY version DESC LIMIT 1 OFFSET ?',
  );
  const raise = sqlite.prepare('UPDATE state SET floor = ?');
  const trim = sqlite.prepare('DELETE FROM objects WHERE json IS NULL AND version <= ?');
  return {
    version: () => Number(state.get()?.['version']),
    floor: () => Number(state.get()?.['floor']),
    get: (key) => {
      const row = get.get(key);
      return row === undefined ? undefined : rowOf(row);
    },
    list: (kind, namespace) => {
      const prefix = namespace === undefined ? kind : `${kind}/${namespace}`;
      // "0" follows "/" in ASCII, so this is the range of all keys below the prefix.
      return range.all(`${prefix}/`, `${prefix}0`).map(rowOf);
    },
    keys: (kind) => keys.all(`${kind}/`, `${kind}0`).map(keyOf),
    changesAfter: (version, kinds, limit) =>
      after.all(version, JSON.stringify(kinds), limit).map((row) => {
        const { key, version: at } = rowOf(row);
        return { key, version: at, row: row['json'] === null ? undefined : rowOf(row) };
      }),
    nextVersion: () => Number(next.get()?.['version']),
    put: (key, kind, version, json) => {
      put.run(key, kind, version, json);
    },
    bury: (key, version) => {
      bury.run(version, key);
    },
    trim: (keep) => {
      const row = oldest.get(keep);
      if (row === undefined) return;
      const version = Number(row['version']);
      raise.run(version);
      trim.run(version);
    },
  };
}

function keyOf(row: Readonly<Record<string, unknown>>): ResourceKey {
  const key = String(row['key']);
  if (!isKey(key)) throw new Error(`Cannot read datastore row "${key}": unknown kind`);
  return key;
}

function rowOf(row: Readonly<Record<string, unknown>>): StoredRow {
  const key = keyOf(row);
  const version = Number(row['version']);
  const json = String(row['json']);
  return { key, version, parse: () => parseRow(key, version, json), raw: () => rawRow(json) };
}

const isKey = (text: string): text is ResourceKey => Object.hasOwn(KINDS, text.slice(0, text.indexOf('/')));

function rawRow(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

function parseRow(key: ResourceKey, version: number, json: string): Result<Resource> {
  let raw: unknown;
  try {
    raw = JSON.parse(json);
  } catch (error) {
    return err(`Cannot accept stored object "${key}": not JSON (${error instanceof Error ? error.message : error})`);
  }
  const parsed = parseResource(raw);
  if (!parsed.ok) return parsed;
  parsed.value.metadata.resourceVersion = String(version);
  return parsed;
}
