// A cluster of many small namespaces, the shape of Antrea's controller benchmark (TestInitXLargeScaleWithSmallNamespaces):
// each namespace has four pods of two kinds, one policy that denies all, and one policy per kind that lets its pods talk
// to each other.
import type { NetworkPolicy } from '../../../datastore/resources/network-policy.ts';
import type { Pod } from '../../../datastore/resources/pod.ts';
import { ipFromBigInt } from '../../../lib/ip.ts';

export type SmallNamespace = {
  readonly name: string;
  readonly pods: readonly Pod[];
  readonly policies: readonly NetworkPolicy[];
};

export function smallNamespace(index: number): SmallNamespace {
  const name = `ns-${index.toString(36)}`;
  return {
    name,
    pods: [1, 1, 2, 2].map((kind, place) => ({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: name, name: `pod-${place}`, uid: `${name}-${place}`, labels: labelsOf(kind) },
      spec: { nodeName: `node-${(index * 4 + place) % 1000}` },
      status: { phase: 'Running', podIPs: [{ ip: ipFromBigInt(FIRST_POD + BigInt(index * 4 + place), 4) }] },
    })),
    policies: [
      policyOf(name, 'default-deny', undefined),
      policyOf(name, 'kind-1', labelsOf(1)),
      policyOf(name, 'kind-2', labelsOf(2)),
    ],
  };
}

/** 100,000 pods do not fit into the usual 10.244.0.0/16. */
const FIRST_POD = 0x0a_00_00_00n;

const labelsOf = (kind: number): Record<string, string> => ({ [`app-${kind}`]: `scale-${kind}` });

const policyOf = (namespace: string, name: string, labels: Record<string, string> | undefined): NetworkPolicy => {
  const selector = labels === undefined ? {} : { matchLabels: labels };
  return {
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace, name },
    spec: {
      podSelector: selector,
      policyTypes: ['Ingress', 'Egress'],
      ...(labels !== undefined && { ingress: [{ from: [{ podSelector: selector }] }] }),
    },
  };
};
