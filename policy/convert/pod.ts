// v1 Pod to the facts that policy depends on.
import type { Pod } from '../../datastore/resources/pod.ts';
import type { Ip } from '../../lib/ip.ts';
import type { Protocol } from '../ir.ts';
import type { NamedPort, PodFacts } from '../world.ts';

/** Facts of a pod. A pod without address is a pod with no `ips`. */
export function convertPod({ metadata, spec, status }: Pod): PodFacts {
  // Containers that ran to the end leave the sandbox, and its address, to be reused.
  const finished = status?.phase === 'Succeeded' || status?.phase === 'Failed';
  const uid = metadata.annotations?.[MIRROR_ANNOTATION] ?? metadata.uid;
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    ...(uid !== undefined && { uid }),
    labels: metadata.labels ?? {},
    ips: podIps(status),
    ports: namedPorts(spec),
    ...(spec.nodeName !== undefined && { node: spec.nodeName }),
    hostNetwork: spec.hostNetwork ?? false,
    finished,
  };
}

/** A static pod runs under the hash in this annotation, not under the uid of its mirror (kubelet pkg/kubelet/types). */
const MIRROR_ANNOTATION = 'kubernetes.io/config.mirror';

function podIps(status: Pod['status']): readonly Ip[] {
  const [only, second] = status?.podIPs ?? [];
  if (only !== undefined && second === undefined) return [only.ip];
  const ips = new Set((status?.podIPs ?? []).map(({ ip }) => ip));
  if (ips.size === 0 && status?.podIP !== undefined) ips.add(status.podIP);
  return [...ips];
}

const PROTOCOLS = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' } as const satisfies Record<string, Protocol>;

// Init containers count: those that restart always are sidecars and serve as long as the pod does.
function namedPorts({ containers = [], initContainers = [] }: Pod['spec']): readonly NamedPort[] {
  if (containers.length === 0 && initContainers.length === 0) return NO_PORTS;
  return [...containers, ...initContainers].flatMap(({ ports = [] }) =>
    ports.flatMap(({ name, protocol, containerPort }) =>
      name === undefined ? [] : [{ name, protocol: PROTOCOLS[protocol], port: containerPort }],
    ),
  );
}

const NO_PORTS: readonly NamedPort[] = [];
