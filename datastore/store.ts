// The datastore port: list, watch with resource versions, and writes with compare-and-swap. The embedded store and the
// Kubernetes API implement it, and both pass the same contract suite.
import type { Kind, Resource, ResourceKey, ResourceOf } from './resources/index.ts';

/** Grows with every write to the store; opaque except for equality and for `watch`. */
export type Version = string;

export type StoreErrorCode =
  /** The object is there already. */
  | 'exists'
  /** The object is not there. */
  | 'not-found'
  /** `metadata.resourceVersion` is not the current one. */
  | 'conflict'
  /** The version is too old to watch from: list again. */
  | 'gone'
  /** The object, or the stored one, breaks its schema or a rule between objects. */
  | 'invalid'
  /** The store cannot be read or written now. */
  | 'unavailable';

/** A refused or failed call; the message follows the project's error grammar. */
export class StoreError extends Error {
  override readonly name = 'StoreError';
  readonly code: StoreErrorCode;
  constructor(code: StoreErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/**
 * What a watch tells. `invalid`: the stored object does not pass its schema; it counts as present but unusable. `raw` is
 * what is stored; absent when that is not even JSON.
 */
export type WatchEvent =
  | { readonly kind: 'put'; readonly key: ResourceKey; readonly resource: Resource; readonly version: Version }
  | { readonly kind: 'delete'; readonly key: ResourceKey; readonly version: Version }
  | {
      readonly kind: 'invalid';
      readonly key: ResourceKey;
      readonly error: string;
      readonly raw?: unknown;
      readonly version: Version;
    }
  /** The snapshot that a watch begins with is complete. */
  | { readonly kind: 'in-sync'; readonly version: Version };

export type Store = {
  /** `undefined` when absent. @throws StoreError unavailable, or invalid when the stored object does not pass its schema */
  readonly get: <K extends Kind>(
    kind: K,
    namespace: string | undefined,
    name: string,
  ) => Promise<ResourceOf<K> | undefined>;
  /** Sorted by key; without `namespace` all of them. Objects that do not pass their schema are left out. */
  readonly list: <K extends Kind>(
    kind: K,
    namespace?: string,
  ) => Promise<{ readonly items: readonly ResourceOf<K>[]; readonly version: Version }>;
  /** Returns the stored object with uid, creationTimestamp and resourceVersion. @throws StoreError exists, invalid */
  readonly create: <R extends Resource>(resource: R) => Promise<R>;
  /** Compare-and-swap when `metadata.resourceVersion` is there, else last write wins. @throws StoreError not-found, conflict, invalid */
  readonly update: <R extends Resource>(resource: R) => Promise<R>;
  /** @throws StoreError not-found, conflict when `version` is given and is not the current one, invalid when still used */
  readonly delete: (kind: Kind, namespace: string | undefined, name: string, version?: Version) => Promise<void>;
  /**
   * Snapshot of the kinds as `put` events, then `in-sync`, then every later change in order, several of one object
   * possibly as its last. Ends when `signal` aborts. @throws StoreError unavailable, gone
   */
  readonly watch: (kinds: readonly Kind[], signal: AbortSignal) => AsyncIterable<WatchEvent>;
  readonly close: () => void;
};
