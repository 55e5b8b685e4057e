// What the datastore knows of a pod that is being attached. The runtime often asks before the watch has told of the pod,
// so a pod that is not known is waited for a little; one that nobody has told of is attached as its namespace says.
import { setTimeout as delay } from 'node:timers/promises';
import type { PodName } from '../cni/spec.ts';
import type { PodFacts } from '../cni/wishes.ts';
import { type Resource, type ResourceKey, resourceKey } from '../datastore/resources/index.ts';

/** In milliseconds; the answer to CNI ADD waits for it. */
export const WAIT = { mostMs: 250, everyMs: 5 } as const;

/**
 * Without the pod's annotations: it is not known, or only an earlier one of its name (another uid). `undefined`: nor is its
 * namespace.
 */
export async function podFacts(
  find: (key: ResourceKey) => Resource | undefined,
  name: PodName,
): Promise<PodFacts | undefined> {
  const deadline = performance.now() + WAIT.mostMs;
  let object = podNow(find, name);
  while (object === undefined && performance.now() < deadline) {
    await delay(WAIT.everyMs);
    object = podNow(find, name);
  }
  const home = find(resourceKey('Namespace', undefined, name.namespace));
  if (object === undefined && home === undefined) return undefined;
  return {
    podAnnotations: object?.metadata.annotations ?? {},
    namespaceAnnotations: home?.metadata.annotations ?? {},
  };
}

function podNow(
  find: (key: ResourceKey) => Resource | undefined,
  { namespace, pod, uid }: PodName,
): Resource | undefined {
  const object = find(resourceKey('Pod', namespace, pod));
  const known = object?.metadata.uid;
  return uid !== undefined && known !== undefined && known !== uid ? undefined : object;
}
