// A Pod reduced to what the agent reads of it. Objects of the API server carry many times more (volumes, environments,
// managed fields), and a node hears of every pod of the cluster.
import type { Pod } from '../../datastore/resources/pod.ts';

const LAST_APPLIED = 'kubectl.kubernetes.io/last-applied-configuration';

export function slimPod({ apiVersion, kind, metadata, spec, status }: Pod): Pod {
  const { name, namespace, labels, uid, resourceVersion } = metadata;
  const { nodeName, hostNetwork, containers, initContainers } = spec;
  const annotations = Object.entries(metadata.annotations ?? {}).filter(([key]) => key !== LAST_APPLIED);
  return {
    apiVersion,
    kind,
    metadata: {
      name,
      namespace,
      ...(labels !== undefined && { labels }),
      ...(annotations.length > 0 && { annotations: Object.fromEntries(annotations) }),
      ...(uid !== undefined && { uid }),
      ...(resourceVersion !== undefined && { resourceVersion }),
    },
    spec: {
      ...(nodeName !== undefined && { nodeName }),
      ...(hostNetwork !== undefined && { hostNetwork }),
      ...slimContainers('containers', containers),
      ...slimContainers('initContainers', initContainers),
    },
    ...(status !== undefined && { status: slimStatus(status) }),
  };
}

type Containers = NonNullable<Pod['spec']['containers']>;

function slimContainers<K extends 'containers' | 'initContainers'>(
  field: K,
  containers: Containers | undefined,
): Partial<Record<K, Containers>> {
  const withPorts = (containers ?? []).flatMap(({ name, ports = [] }) => (ports.length === 0 ? [] : [{ name, ports }]));
  const slim: Partial<Record<K, Containers>> = {};
  if (withPorts.length > 0) slim[field] = withPorts;
  return slim;
}

function slimStatus({ phase, podIP, podIPs }: NonNullable<Pod['status']>): NonNullable<Pod['status']> {
  return {
    ...(phase !== undefined && { phase }),
    ...(podIP !== undefined && { podIP }),
    ...(podIPs !== undefined && { podIPs }),
  };
}
