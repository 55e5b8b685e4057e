// Kubernetes objects to a world that the oracle judges.
import type { Resource } from '../../datastore/resources/index.ts';
import type { NetworkPolicy } from '../../datastore/resources/network-policy.ts';
import { type Ip, parseIp } from '../../lib/ip.ts';
import type { World } from '../oracle.ts';
import type { Labels } from '../selector.ts';
import type { PodFacts } from '../world.ts';
import { convertPod } from './pod.ts';

/** The world of these objects; kinds that policy does not depend on are passed over. */
export function convertWorld(resources: Iterable<Resource>): World {
  const namespaces = new Map<string, Labels>();
  const nodes = new Map<string, readonly Ip[]>();
  const pods: PodFacts[] = [];
  const policies: NetworkPolicy[] = [];
  for (const resource of resources) {
    if (resource.kind === 'Namespace') namespaces.set(resource.metadata.name, resource.metadata.labels ?? {});
    else if (resource.kind === 'Pod') pods.push(convertPod(resource));
    else if (resource.kind === 'NetworkPolicy') policies.push(resource);
    else if (resource.kind === 'Node') nodes.set(resource.metadata.name, nodeIps(resource));
  }
  return { namespaces, pods, policies, nodes };
}

function nodeIps({ status }: Extract<Resource, { kind: 'Node' }>): readonly Ip[] {
  return (status?.addresses ?? []).flatMap(({ address }) => {
    const ip = parseIp(address);
    return ip.ok ? [ip.value] : [];
  });
}
