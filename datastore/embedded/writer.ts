// What a write means: presence and version checks, admission, the fields that the server fills in, tombstones.
// Everything here is synchronous and runs inside one write transaction; a refusal undoes it.
import { admit, type Lister, type Write } from '../admission.ts';
import { isOfKind, KIND_NAMES, KINDS, keyOf, type Resource, type ResourceKey } from '../resources/index.ts';
import { parseResource } from '../resources/parse.ts';
import { type Stamp, stampCreated, stampUpdated } from '../stamp.ts';
import { StoreError, type Version } from '../store.ts';
import type { Records, StoredRow } from './records.ts';

export type Writer = {
  readonly create: <R extends Resource>(resource: R) => R;
  readonly update: <R extends Resource>(resource: R) => R;
  readonly remove: (key: ResourceKey, version: Version | undefined) => void;
};

export function createWriter(deps: {
  readonly records: Records;
  readonly keepTombstones: number;
  readonly stamp: Stamp;
}): Writer {
  const { records, keepTombstones, stamp } = deps;
  const list: Lister = (kind) =>
    records.list(kind).flatMap((row) => {
      const parsed = row.parse();
      return parsed.ok && isOfKind(parsed.value, kind) ? [parsed.value] : [];
    });
  const trimEvery = Math.ceil(keepTombstones / 16);
  let removals = 0;
  const store = <R extends Resource>(resource: R): R => {
    const version = records.nextVersion();
    const { resourceVersion: _, ...metadata } = resource.metadata;
    records.put(keyOf(resource), resource.kind, version, JSON.stringify({ ...resource, metadata }));
    return { ...resource, metadata: { ...resource.metadata, resourceVersion: String(version) } };
  };
  const remove = (row: StoredRow): void => {
    check({ kind: 'delete', key: row.key }, list);
    records.bury(row.key, records.nextVersion());
  };
  return {
    create: (resource) => {
      validate(resource);
      if (records.get(keyOf(resource)) !== undefined) {
        throw new StoreError('exists', `Cannot create ${titleOf(keyOf(resource))}: it exists already`);
      }
      check({ kind: 'create', resource }, list);
      return store(stampCreated(resource, stamp));
    },
    update: (resource) => {
      validate(resource);
      const key = keyOf(resource);
      const row = expectRow(records, key, resource.metadata.resourceVersion, 'update');
      const parsed = row.parse();
      const old = parsed.ok ? parsed.value : undefined;
      if (old !== undefined && resource.metadata.uid !== undefined && resource.metadata.uid !== old.metadata.uid) {
        throw new StoreError(
          'conflict',
          `Cannot update ${titleOf(key)}: uid is "${old.metadata.uid}", expected "${resource.metadata.uid}"`,
        );
      }
      check({ kind: 'update', resource, old }, list);
      const { changed, next } = stampUpdated(resource, old, stamp);
      return changed ? store(next) : next;
    },
    remove: (key, version) => {
      const row = expectRow(records, key, version, 'delete');
      for (const inner of contents(records, row)) remove(inner);
      remove(row);
      if (removals++ % trimEvery === 0) records.trim(keepTombstones);
    },
  };
}

function validate(resource: Resource): void {
  const parsed = parseResource(resource);
  if (!parsed.ok) throw new StoreError('invalid', parsed.error);
}

function check(write: Write, list: Lister): void {
  const admitted = admit(write, list);
  if (!admitted.ok) throw new StoreError('invalid', admitted.error);
}

function expectRow(records: Records, key: ResourceKey, version: Version | undefined, verb: string): StoredRow {
  const row = records.get(key);
  if (row === undefined) throw new StoreError('not-found', `Cannot ${verb} ${titleOf(key)}: it is not there`);
  if (version !== undefined && version !== String(row.version)) {
    const why = `resourceVersion is "${row.version}", expected "${version}"`;
    throw new StoreError('conflict', `Cannot ${verb} ${titleOf(key)}: ${why}`);
  }
  return row;
}

/** A namespace takes its objects with it, as the namespace controller of a cluster sees to. */
function contents(records: Records, { key }: StoredRow): readonly StoredRow[] {
  if (!key.startsWith('Namespace/')) return [];
  const namespace = key.slice('Namespace/'.length);
  return KIND_NAMES.filter((kind) => KINDS[kind].namespaced).flatMap((kind) => records.list(kind, namespace));
}

const titleOf = (key: ResourceKey): string => key.replace(/^(\w+)\/(.*)$/, '$1 "$2"');
