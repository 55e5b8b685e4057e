// All known pods and namespaces, indexed by namespace and label, to answer "which pods does this scope hold" at a cost
// of the smaller candidate list.
import { namespaceLabels, type PodScope, podInScope } from '../pod-scope.ts';
import type { Labels, Selector } from '../selector.ts';
import type { PodFacts, PodKey } from '../world.ts';
import { ANY, labelsCarry, selectorAnchors } from './anchor.ts';
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
  const namespacesByAnchor = createMultiMap<string, string>();
  const podsByAnchor = createMultiMap<string, PodKey>();
  const podsByNamespace = createMultiMap<string, PodKey>();

  const setNamespace = (name: string, written: Labels | undefined): void => {
    for (const anchor of labelsCarry(namespaces.get(name) ?? {})) namespacesByAnchor.delete(anchor, name);
    if (written === undefined) {
      namespaces.delete(name);
      return;
    }
    const labels = namespaceLabels(name, written);
    namespaces.set(name, labels);
    for (const anchor of labelsCarry(labels)) if (anchor !== ANY) namespacesByAnchor.add(anchor, name);
  };

  const setPod = (key: PodKey, facts: PodFacts | undefined): void => {
    const old = pods.get(key);
    if (old !== undefined) {
      podsByNamespace.delete(old.namespace, key);
      for (const anchor of labelsCarry(old.labels)) podsByAnchor.delete(anchor, key);
    }
    if (facts === undefined) {
      pods.delete(key);
      return;
    }
    pods.set(key, facts);
    podsByNamespace.add(facts.namespace, key);
    for (const anchor of labelsCarry(facts.labels)) if (anchor !== ANY) podsByAnchor.add(anchor, key);
  };

  // One list per candidate source; undefined: the source would be everything.
  const byLabel = (selector: Selector): readonly ReadonlySet<PodKey>[] | undefined => {
    const anchors = selectorAnchors(selector);
    return anchors.includes(ANY) ? undefined : anchors.map(podsByAnchor.get);
  };
  const byNamespace = ({ namespaces: scope }: PodScope): readonly ReadonlySet<PodKey>[] | undefined => {
    if (scope.kind === 'name') return [podsByNamespace.get(scope.name)];
    const anchors = selectorAnchors(scope.selector);
    if (anchors.includes(ANY)) return undefined;
    return anchors.flatMap((anchor) => [...namespacesByAnchor.get(anchor)].map(podsByNamespace.get));
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
      for (const list of smaller(byNamespace(scope), byLabel(scope.pods)) ?? [pods.keys()]) {
        for (const key of list) {
          const facts = pods.get(key);
          if (facts !== undefined && podInScope(scope, facts, namespaces.get(facts.namespace))) yield key;
        }
      }
    },
  };
}

type Lists = readonly ReadonlySet<PodKey>[];

function smaller(a: Lists | undefined, b: Lists | undefined): Lists | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return total(a) <= total(b) ? a : b;
}

const total = (lists: Lists): number => lists.reduce((sum, { size }) => sum + size, 0);
