// Scopes by what they require, to answer "which of these scopes hold this pod" at a cost of the pod's labels and the
// answer, not of the number of scopes.
import { type PodScope, podInScope } from '../pod-scope.ts';
import type { Labels } from '../selector.ts';
import {
  type AnchorMap,
  carriedBy,
  createAnchorMap,
  getAnchored,
  isEmptyAnchorMap,
  scopeAnchors,
  selectorAnchors,
  setAnchored,
} from './anchor.ts';

export type ScopeIndex<T> = {
  /** The item must not be there. */
  readonly add: (scope: PodScope, item: T) => void;
  /** Scope and item must be those that were added. */
  readonly delete: (scope: PodScope, item: T) => void;
  /** The items whose scope holds the pod, each once, as a new array. */
  readonly find: (pod: PlacedPod) => T[];
};

/** A pod's labels with those of its namespace; `namespaceLabels` undefined: not known. */
export type PlacedPod = {
  readonly namespace: string;
  readonly namespaceLabels: Labels | undefined;
  readonly labels: Labels;
};

type Bucket<T> = { readonly item: T; readonly scope: PodScope }[];

export function createScopeIndex<T>(): ScopeIndex<T> {
  // Namespace anchor, then pod anchor, then the items with their scopes.
  const index = createAnchorMap<AnchorMap<Bucket<T>>>();
  return {
    add: (scope, item) => {
      for (const outer of scopeAnchors(scope.namespaces)) {
        let inner = getAnchored(index, outer);
        if (inner === undefined) {
          inner = createAnchorMap();
          setAnchored(index, outer, inner);
        }
        for (const anchor of selectorAnchors(scope.pods)) {
          const bucket = getAnchored(inner, anchor);
          if (bucket === undefined) setAnchored(inner, anchor, [{ item, scope }]);
          else bucket.push({ item, scope });
        }
      }
    },
    delete: (scope, item) => {
      for (const outer of scopeAnchors(scope.namespaces)) {
        const inner = getAnchored(index, outer);
        if (inner === undefined) continue;
        for (const anchor of selectorAnchors(scope.pods)) {
          const bucket = getAnchored(inner, anchor);
          if (bucket === undefined) continue;
          const at = bucket.findIndex((one) => one.item === item);
          if (at >= 0) bucket.splice(at, 1);
          if (bucket.length === 0) setAnchored(inner, anchor, undefined);
        }
        if (isEmptyAnchorMap(inner)) setAnchored(index, outer, undefined);
      }
    },
    find: (pod) => {
      const found: T[] = [];
      for (const inner of carriedBy(index, pod.namespaceLabels ?? NO_LABELS, pod.namespace)) {
        for (const bucket of carriedBy(inner, pod.labels)) {
          for (const { item, scope } of bucket) {
            if (podInScope(scope, pod, pod.namespaceLabels)) found.push(item);
          }
        }
      }
      return found;
    },
  };
}

const NO_LABELS: Labels = {};
