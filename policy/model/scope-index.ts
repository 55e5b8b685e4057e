// Scopes by what they require, to answer "which of these scopes hold this pod" at a cost of the pod's labels and the
// answer, not of the number of scopes.
import { type PodScope, podInScope } from '../pod-scope.ts';
import type { Labels } from '../selector.ts';
import { labelsCarry, namespaceCarries, scopeAnchors, selectorAnchors } from './anchor.ts';

export type ScopeIndex<T> = {
  readonly add: (scope: PodScope, item: T) => void;
  /** Scope and item must be those that were added. */
  readonly delete: (scope: PodScope, item: T) => void;
  /** The items whose scope holds the pod, as a new set. */
  readonly find: (pod: PlacedPod) => Set<T>;
};

/** A pod's labels with those of its namespace; `namespaceLabels` undefined: not known. */
export type PlacedPod = {
  readonly namespace: string;
  readonly namespaceLabels: Labels | undefined;
  readonly labels: Labels;
};

export function createScopeIndex<T>(): ScopeIndex<T> {
  // Namespace anchor, then pod anchor, then the items with their scopes.
  const index = new Map<string, Map<string, Map<T, PodScope>>>();
  return {
    add: (scope, item) => {
      for (const outer of scopeAnchors(scope.namespaces)) {
        const pods = index.get(outer) ?? new Map<string, Map<T, PodScope>>();
        index.set(outer, pods);
        for (const inner of selectorAnchors(scope.pods)) {
          const bucket = pods.get(inner);
          if (bucket === undefined) pods.set(inner, new Map([[item, scope]]));
          else bucket.set(item, scope);
        }
      }
    },
    delete: (scope, item) => {
      for (const outer of scopeAnchors(scope.namespaces)) {
        const pods = index.get(outer);
        for (const inner of selectorAnchors(scope.pods)) {
          const bucket = pods?.get(inner);
          if (bucket?.delete(item) && bucket.size === 0) pods?.delete(inner);
        }
        if (pods?.size === 0) index.delete(outer);
      }
    },
    find: (pod) => {
      const found = new Set<T>();
      const inner = labelsCarry(pod.labels);
      for (const outer of namespaceCarries(pod.namespace, pod.namespaceLabels)) {
        const pods = index.get(outer);
        if (pods === undefined) continue;
        for (const anchor of inner) {
          for (const [item, scope] of pods.get(anchor) ?? []) {
            if (podInScope(scope, pod, pod.namespaceLabels)) found.add(item);
          }
        }
      }
      return found;
    },
  };
}
