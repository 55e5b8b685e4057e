// Containers of runtimes that know no pods. No object tells of them, so each is taken for a pod without labels in a
// namespace of its own, as long as it is attached here: policy speaks of them as of any pod. Objects of the same names win.
import type { Attachment } from '../../cni/attachment.ts';
import { type Resource, type ResourceKey, resourceKey } from '../../datastore/resources/index.ts';
import { CONTAINER_NAMESPACE } from '../../ipam/handle.ts';

export type Containers = {
  /** An attachment began or ended. Returns the key of what changed; `undefined`: it is a pod's. */
  readonly accept: (event: {
    readonly kind: 'attached' | 'detached';
    readonly attachment: Attachment;
  }) => ResourceKey | undefined;
  /** What stands for an object that is not there. */
  readonly get: (key: ResourceKey) => Resource | undefined;
  readonly all: () => Iterable<Resource>;
};

export const CONTAINER_NAMESPACE_KEY = resourceKey('Namespace', undefined, CONTAINER_NAMESPACE);

export function createContainers(node: string): Containers {
  const known = new Map<ResourceKey, Resource>([
    [CONTAINER_NAMESPACE_KEY, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: CONTAINER_NAMESPACE } }],
  ]);
  return {
    accept: ({ kind, attachment: { namespace, pod: name } }) => {
      if (namespace !== CONTAINER_NAMESPACE) return undefined;
      const key = resourceKey('Pod', namespace, name);
      if (kind === 'detached') known.delete(key);
      else known.set(key, { apiVersion: 'v1', kind: 'Pod', metadata: { namespace, name }, spec: { nodeName: node } });
      return key;
    },
    get: (key) => known.get(key),
    all: () => known.values(),
  };
}
