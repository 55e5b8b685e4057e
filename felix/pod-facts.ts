// What the datastore knows of a pod that is being attached. The runtime often asks before the watch has told of the pod,
// so a pod that is not known is waited for a little; one that nobody has told of is attached without annotations.
import { setTimeout as delay } from 'node:timers/promises';
import type { PodName } from '../cni/spec.ts';
import type { PodFacts } from '../cni/wishes.ts';
import { type Resource, type ResourceKey, resourceKey } from '../datastore/resources/index.ts';

/** In milliseconds; the answer to CNI ADD waits for it. */
export const WAIT = { mostMs: 250, everyMs: 5 } as const;

/** `undefined`: the pod is not known, or only an earlier one of its name (another uid). */
export async function podFacts(
  find: (key: ResourceKey) => Resource | undefined,
  name: PodName,
): Promise<PodFacts | undefined> {
  const deadline = performance.now() + WAIT.mostMs;
  for (;;) {
    const facts = factsNow(find, name);
    if (facts !== undefined || performance.now() >= deadline) return facts;
    await delay(WAIT.everyMs);
  }
}

function factsNow(
  find: (key: ResourceKey) => Resource | undefined,
  { namespace, pod, uid }: PodName,
): PodFacts | undefined {
  const object = find(resourceKey('Pod', namespace, pod));
  if (object === undefined) return undefined;
  const known = object.metadata.uid;
  if (uid !== undefined && known !== undefined && known !== uid) return undefined;
  const home = find(resourceKey('Namespace', undefined, namespace));
  return {
    podAnnotations: object.metadata.annotations ?? {},
    namespaceAnnotations: home?.metadata.annotations ?? {},
  };
}
