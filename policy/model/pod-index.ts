// All known pods and namespaces, indexed by namespace and label, to answer "which pods does this scope hold" at a cost
// of the smaller candidate list.
import { namespaceLabels, type PodScope, podInScope } from '../pod-scope.ts';
import type { Labels } from '../selector.ts';
import type { PodFacts, PodKey } from '../world.ts';
import { createLabelIndex } from './label-index.ts';
import type { NamespaceRecord, PodRecord } from './records.ts';
import type { PlacedPod } from './scope-index.ts';

export type PodIndex = {
  /** `undefined`: not known any more. */
  readonly setNamespace: (name: string, written: Labels | undefined) => void;
  readonly namespace: (name: string) => NamespaceRecord | undefined;
  readonly pod: (key: PodKey) => PodRecord | undefined;
  /** A record of a pod that has none. */
  readonly addPod: (key: PodKey, namespace: string) => PodRecord;
  readonly setFacts: (pod: PodRecord, facts: PodFacts | undefined) => void;
  /** Drops the record of a pod of which there is nothing to know. */
  readonly tidy: (pod: PodRecord) => void;
  readonly find: (scope: PodScope) => readonly PodRecord[];
};

/** A pod with the labels of its namespace. */
export const placePod = (namespace: NamespaceRecord, { labels }: PodFacts): PlacedPod => ({
  namespace: namespace.name,
  namespaceLabels: namespace.labels,
  labels,
});

export function createPodIndex(): PodIndex {
  const namespaces = new Map<string, NamespaceRecord>();
  const pods = new Map<PodKey, PodRecord>();
  const namespacesByLabel = createLabelIndex<NamespaceRecord>();
  const podsByLabel = createLabelIndex<PodRecord>();

  const ensureNamespace = (name: string): NamespaceRecord => {
    const known = namespaces.get(name);
    if (known !== undefined) return known;
    const made = { name, written: undefined, labels: undefined, pods: new Set<PodRecord>(), endpoints: undefined };
    namespaces.set(name, made);
    return made;
  };

  const tidyNamespace = (record: NamespaceRecord): void => {
    if (record.written === undefined && record.pods.size === 0) namespaces.delete(record.name);
  };

  const candidates = ({ namespaces: scope, pods: selector }: PodScope): readonly Iterable<PodRecord>[] => {
    const byLabel = podsByLabel.find(selector);
    const byNamespace =
      scope.kind === 'name'
        ? [namespaces.get(scope.name)?.pods ?? NONE]
        : namespacesByLabel.find(scope.selector)?.flatMap((list) => Array.from(list, (record) => record.pods));
    return smaller(byNamespace, byLabel) ?? [pods.values()];
  };

  return {
    setNamespace: (name, written) => {
      if (written === undefined && !namespaces.has(name)) return;
      const record = ensureNamespace(name);
      if (record.labels !== undefined) namespacesByLabel.delete(record.labels, record);
      record.written = written;
      record.labels = written === undefined ? undefined : namespaceLabels(name, written);
      if (record.labels !== undefined) namespacesByLabel.add(record.labels, record);
      tidyNamespace(record);
    },
    namespace: (name) => namespaces.get(name),
    pod: (key) => pods.get(key),
    addPod: (key, name) => {
      const namespace = ensureNamespace(name);
      const made: PodRecord = {
        key,
        namespace,
        facts: undefined,
        endpoints: NO_ENDPOINTS,
        dirty: undefined,
        share: undefined,
        scopes: [],
      };
      pods.set(key, made);
      namespace.pods.add(made);
      return made;
    },
    setFacts: (pod, facts) => {
      if (pod.facts !== undefined) podsByLabel.delete(pod.facts.labels, pod);
      pod.facts = facts;
      if (facts !== undefined) podsByLabel.add(facts.labels, pod);
    },
    tidy: (pod) => {
      if (pod.facts !== undefined || pod.endpoints.length > 0) return;
      pods.delete(pod.key);
      pod.namespace.pods.delete(pod);
      tidyNamespace(pod.namespace);
    },
    find: (scope) => {
      const found: PodRecord[] = [];
      for (const list of candidates(scope)) {
        for (const pod of list) {
          const { facts, namespace } = pod;
          if (facts !== undefined && podInScope(scope, facts, namespace.labels)) found.push(pod);
        }
      }
      return found;
    },
  };
}

const NONE: ReadonlySet<PodRecord> = new Set();
const NO_ENDPOINTS: PodRecord['endpoints'] = [];

type Lists = readonly ReadonlySet<PodRecord>[];

function smaller(a: Lists | undefined, b: Lists | undefined): Lists | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return total(a) <= total(b) ? a : b;
}

function total(lists: Lists): number {
  let sum = 0;
  for (const { size } of lists) sum += size;
  return sum;
}
