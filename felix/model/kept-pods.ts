// The Pods that the agent has heard of, by key; their equal parts are there once.
import type { ResourceKey } from '../../datastore/resources/index.ts';
import type { Labels } from '../../policy/selector.ts';
import type { NamedPort, PodFacts } from '../../policy/world.ts';
import type { KeptPod } from './kept-pod.ts';
import { createPool } from './pool.ts';

export type KeptPods = {
  readonly get: (key: ResourceKey) => KeptPod | undefined;
  /** Answers what is kept. */
  readonly set: (key: ResourceKey, pod: KeptPod) => KeptPod;
  readonly delete: (key: ResourceKey) => void;
  readonly values: () => Iterable<KeptPod>;
};

export function createKeptPods(): KeptPods {
  const pods = new Map<ResourceKey, KeptPod>();
  const names = createPool<string>();
  const labels = createPool<Labels>();
  const ports = createPool<readonly NamedPort[]>();

  const acquire = (facts: PodFacts): PodFacts => ({
    ...facts,
    namespace: names.acquire(facts.namespace, facts.namespace),
    ...(facts.node !== undefined && { node: names.acquire(facts.node, facts.node) }),
    labels: labels.acquire(JSON.stringify(facts.labels), facts.labels),
    ports: ports.acquire(JSON.stringify(facts.ports), facts.ports),
  });

  const release = (facts: PodFacts): void => {
    names.release(facts.namespace);
    if (facts.node !== undefined) names.release(facts.node);
    labels.release(JSON.stringify(facts.labels));
    ports.release(JSON.stringify(facts.ports));
  };

  return {
    get: (key) => pods.get(key),
    set: (key, pod) => {
      const kept = { ...pod, facts: acquire(pod.facts) };
      const before = pods.get(key);
      if (before !== undefined) release(before.facts);
      pods.set(key, kept);
      return kept;
    },
    delete: (key) => {
      const before = pods.get(key);
      if (before === undefined) return;
      release(before.facts);
      pods.delete(key);
    },
    values: () => pods.values(),
  };
}
