// All known pods and namespaces, indexed by namespace and label, to answer "which pods does this scope hold" at a cost
// of the smaller candidate list.
import { namespaceLabels, type PodScope, podInScope } from '../pod-scope.ts';
import type { Labels, Selector } from '../selector.ts';
import type { PodFacts, PodKey } from '../world.ts';
import { type Anchor, createAnchorMap, selectorAnchors } from './anchor.ts';
import { createMultiMap } from './multi-map.ts';
import type { PlacedPod } from './scope-index.ts';

export type PodIndex = {
  readonly setNamespace: (name: string, labels: Labels | undefined) => void;
  readonly setPod: (key: PodKey, facts: PodFacts | undefined) => void;
  readonly namespace: (name: string) => Labels | undefined;
  readonly pod: (key: PodKey) => PodFacts | undefined;
  readonly podsOf: (namespace: string) => ReadonlySet<PodKey>;
  /** The pod with the labels of its namespace. */
  readonly place: (facts: PodFacts) => PlacedPod;
  readonly find: (scope: PodScope) => Iterable<PodKey>;
};

export function createPodIndex(): PodIndex {
  const namespaces = new Map<string, Labels>();
  const pods = new Map<PodKey, PodFacts>();
  const namespacesByLabel = createLabelIndex<string>();
  const podsByLabel = createLabelIndex<PodKey>();
  const podsByNamespace = createMultiMap<string, PodKey>();

  const setNamespace = (name: string, written: Labels | undefined): void => {
    namespacesByLabel.delete(namespaces.get(name) ?? {}, name);
    if (written === undefined) {
      namespaces.delete(name);
      return;
    }
    const labels = namespaceLabels(name, written);
    namespaces.set(name, labels);
    namespacesByLabel.add(labels, name);
  };

  const setPod = (key: PodKey, facts: PodFacts | undefined): void => {
    const old = pods.get(key);
    if (old !== undefined) {
      podsByNamespace.delete(old.namespace, key);
      podsByLabel.delete(old.labels, key);
    }
    if (facts === undefined) {
      pods.delete(key);
      return;
    }
    pods.set(key, facts);
    podsByNamespace.add(facts.namespace, key);
    podsByLabel.add(facts.labels, key);
  };

  const byNamespace = ({ namespaces: scope }: PodScope): readonly ReadonlySet<PodKey>[] | undefined => {
    if (scope.kind === 'name') return [podsByNamespace.get(scope.name)];
    return namespacesByLabel.find(scope.selector)?.flatMap((names) => [...names].map(podsByNamespace.get));
  };

  return {
    setNamespace,
    setPod,
    namespace: (name) => namespaces.get(name),
    pod: (key) => pods.get(key),
    podsOf: podsByNamespace.get,
    place: (facts) => ({
      namespace: facts.namespace,
      namespaceLabels: namespaces.get(facts.namespace),
      labels: facts.labels,
    }),
    find: function* (scope) {
      for (const list of smaller(byNamespace(scope), podsByLabel.find(scope.pods)) ?? [pods.keys()]) {
        for (const key of list) {
          const facts = pods.get(key);
          if (facts !== undefined && podInScope(scope, facts, namespaces.get(facts.namespace))) yield key;
        }
      }
    },
  };
}

// What carries a label key, and what carries it with a value.
function createLabelIndex<K>() {
  const index = createAnchorMap<Set<K>>();
  const anchorsOf = (labels: Labels): readonly Anchor[] =>
    Object.entries(labels).flatMap(([key, value]): readonly Anchor[] => [
      { kind: 'key', key },
      { kind: 'label', key, value },
    ]);
  return {
    add: (labels: Labels, item: K): void => {
      for (const anchor of anchorsOf(labels)) index.ensure(anchor, () => new Set()).add(item);
    },
    delete: (labels: Labels, item: K): void => {
      for (const anchor of anchorsOf(labels)) {
        const items = index.get(anchor);
        if (items?.delete(item) && items.size === 0) index.delete(anchor);
      }
    },
    /** Lists that together hold all that the selector selects; undefined: that may be everything. */
    find: (selector: Selector): readonly ReadonlySet<K>[] | undefined => {
      const anchors = selectorAnchors(selector);
      return anchors.some(({ kind }) => kind === 'any') ? undefined : anchors.flatMap((one) => index.get(one) ?? []);
    },
  };
}

type Lists = readonly ReadonlySet<PodKey>[];

function smaller(a: Lists | undefined, b: Lists | undefined): Lists | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return total(a) <= total(b) ? a : b;
}

const total = (lists: Lists): number => lists.reduce((sum, { size }) => sum + size, 0);
