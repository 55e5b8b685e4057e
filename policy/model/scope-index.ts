// Scopes by what they require, to answer "which of these scopes hold this pod" at a cost of the pod's labels and the
// answer, not of the number of scopes.
import { type PodScope, podInScope } from '../pod-scope.ts';
import type { Labels } from '../selector.ts';
import { type AnchorMap, createAnchorMap, scopeAnchors, selectorAnchors } from './anchor.ts';

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

type Bucket<T> = Map<T, PodScope>;
type Inner<T> = { readonly pods: AnchorMap<Bucket<T>>; buckets: number };

export function createScopeIndex<T>(): ScopeIndex<T> {
  // Namespace anchor, then pod anchor, then the items with their scopes.
  const index = createAnchorMap<Inner<T>>();
  return {
    add: (scope, item) => {
      for (const outer of scopeAnchors(scope.namespaces)) {
        const inner = index.ensure(outer, () => ({ pods: createAnchorMap(), buckets: 0 }));
        for (const anchor of selectorAnchors(scope.pods)) {
          const bucket = inner.pods.ensure(anchor, () => {
            inner.buckets++;
            return new Map();
          });
          bucket.set(item, scope);
        }
      }
    },
    delete: (scope, item) => {
      for (const outer of scopeAnchors(scope.namespaces)) {
        const inner = index.get(outer);
        if (inner === undefined) continue;
        for (const anchor of selectorAnchors(scope.pods)) {
          const bucket = inner.pods.get(anchor);
          if (!bucket?.delete(item) || bucket.size > 0) continue;
          inner.pods.delete(anchor);
          inner.buckets--;
        }
        if (inner.buckets === 0) index.delete(outer);
      }
    },
    find: (pod) => {
      const found = new Set<T>();
      for (const { pods } of index.carried(pod.namespaceLabels ?? {}, pod.namespace)) {
        for (const bucket of pods.carried(pod.labels)) {
          for (const [item, scope] of bucket) {
            if (podInScope(scope, pod, pod.namespaceLabels)) found.add(item);
          }
        }
      }
      return found;
    },
  };
}
