// The metadata that the server and not the user decides: uid, creation time, generation, implied labels.
import { jsonEqual } from '../lib/json-equal.ts';
import type { Resource } from './resources/index.ts';

/** Where the clock and the randomness come from. */
export type Stamp = {
  /** RFC 3339 in UTC, whole seconds. */
  readonly now: () => string;
  readonly newUid: () => string;
};

/** Label with its own name that every Namespace carries (Kubernetes NamespaceDefaultLabelName). */
const NAME_LABEL = 'kubernetes.io/metadata.name';

/** A new object: generation 1; what the user said about uid and creation time is not taken. */
export function stampCreated<R extends Resource>(resource: R, { now, newUid }: Stamp): R {
  const metadata = { ...withNameLabel(resource), uid: newUid(), creationTimestamp: now(), generation: 1 };
  return { ...resource, metadata };
}

/**
 * A new state of `old` (`undefined`: what is stored cannot be read, so nothing of it is kept). `changed` is `false`
 * when it says nothing new; then `next` carries the version of `old`. The generation counts changes outside of
 * metadata and status.
 */
export function stampUpdated<R extends Resource>(
  resource: R,
  old: Resource | undefined,
  stamp: Stamp,
): { readonly changed: boolean; readonly next: R } {
  if (old === undefined) return { changed: true, next: stampCreated(resource, stamp) };
  const { uid, creationTimestamp, resourceVersion, generation = 1 } = old.metadata;
  const grown = jsonEqual(desireOf(resource), desireOf(old)) ? generation : generation + 1;
  const metadata = {
    ...withNameLabel(resource),
    ...(uid === undefined ? { uid: stamp.newUid() } : { uid }),
    ...(creationTimestamp === undefined ? { creationTimestamp: stamp.now() } : { creationTimestamp }),
    ...(resourceVersion === undefined ? {} : { resourceVersion }),
    generation: grown,
  };
  const next = { ...resource, metadata };
  return { changed: !jsonEqual(next, old), next };
}

function withNameLabel(resource: Resource): Resource['metadata'] {
  const { metadata } = resource;
  if (resource.kind !== 'Namespace') return metadata;
  return { ...metadata, labels: { ...metadata.labels, [NAME_LABEL]: metadata.name } };
}

function desireOf(resource: Resource): Readonly<Record<string, unknown>> {
  const { metadata: _metadata, status: _status, ...desire } = { status: undefined, ...resource };
  return desire;
}
