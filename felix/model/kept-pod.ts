// What the agent keeps of a Pod: the facts of policy, which the policy model shares, and for pods that may be attached here
// the annotations that CNI asks for. Objects of the API server carry many times more (volumes, environments, managed
// fields), and a node hears of every pod of the cluster.
import type { Pod } from '../../datastore/resources/pod.ts';
import { convertPod } from '../../policy/convert/pod.ts';
import type { NamedPort, PodFacts } from '../../policy/world.ts';

export type KeptPod = {
  readonly kind: 'KeptPod';
  readonly facts: PodFacts;
  /** Absent: none, or the pod is another node's. */
  readonly annotations?: Readonly<Record<string, string>>;
};

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

/** `ownNode` absent: annotations of all pods are kept. */
export function keepPod(pod: Pod, ownNode?: string): KeptPod {
  const facts = convertPod(pod);
  if (ownNode !== undefined && facts.node !== undefined && facts.node !== ownNode) return { kind: 'KeptPod', facts };
  const annotations = Object.entries(pod.metadata.annotations ?? {}).filter(([key]) => key !== LAST_APPLIED);
  return annotations.length === 0
    ? { kind: 'KeptPod', facts }
    : { kind: 'KeptPod', facts, annotations: Object.fromEntries(annotations) };
}

/** A Pod object with what is kept; its facts are the same. */
export function podOf({ facts, annotations }: KeptPod): Pod {
  const { namespace, name, uid, labels, ips, ports, node, hostNetwork, finished } = facts;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace,
      name,
      labels: { ...labels },
      ...(uid !== undefined && { uid }),
      ...(annotations !== undefined && { annotations: { ...annotations } }),
    },
    spec: {
      ...(node !== undefined && { nodeName: node }),
      hostNetwork,
      ...(ports.length > 0 && { containers: [{ name: 'all', ports: ports.map(containerPort) }] }),
    },
    status: { phase: finished ? 'Succeeded' : 'Running', podIPs: ips.map((ip) => ({ ip })) },
  };
}

const PROTOCOLS = { tcp: 'TCP', udp: 'UDP', sctp: 'SCTP' } as const;

const containerPort = ({ name, protocol, port }: NamedPort) => ({
  name,
  containerPort: port,
  protocol: PROTOCOLS[protocol],
});
