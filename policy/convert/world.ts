// Kubernetes objects to a world that the oracle judges.
import type { BgpConfiguration } from '../../datastore/resources/bgp-configuration.ts';
import type { Resource } from '../../datastore/resources/index.ts';
import type { World } from '../oracle.ts';
import type { Labels } from '../selector.ts';
import type { NodeFacts, PodFacts } from '../world.ts';
import { convertNode } from './node.ts';
import { convertPod } from './pod.ts';
import { isPolicyResource, type PolicyResource } from './policy.ts';

/** The world of these objects; kinds that policy does not depend on are passed over. */
export function convertWorld(resources: Iterable<Resource>): World {
  const namespaces = new Map<string, Labels>();
  const nodes = new Map<string, NodeFacts>();
  const pods: PodFacts[] = [];
  const policies: PolicyResource[] = [];
  let bgpPort: number | undefined;
  for (const resource of resources) {
    if (resource.kind === 'Namespace') namespaces.set(resource.metadata.name, resource.metadata.labels ?? {});
    else if (resource.kind === 'Pod') pods.push(convertPod(resource));
    else if (resource.kind === 'Node') nodes.set(resource.metadata.name, convertNode(resource));
    else if (isPolicyResource(resource)) policies.push(resource);
    else if (isBgpConfiguration(resource)) bgpPort = resource.spec.listenPort;
  }
  return {
    namespaces,
    pods,
    policies,
    nodes: new Map([...nodes].map(([name, { ips }]) => [name, ips])),
    nodeLabels: new Map([...nodes].map(([name, { labels }]) => [name, labels])),
    ...(bgpPort !== undefined && { bgpPort }),
  };
}

/** The one that is in force. */
const isBgpConfiguration = (resource: Resource): resource is BgpConfiguration =>
  resource.kind === 'BGPConfiguration' && resource.metadata.name === 'default';
