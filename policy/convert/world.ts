// Kubernetes objects to a world that the oracle judges.
import { BGP_CONFIGURATION_NAME, type BgpConfiguration } from '../../datastore/resources/bgp-configuration.ts';
import type { Resource } from '../../datastore/resources/index.ts';
import { NODE_IPV4_ANNOTATION, NODE_IPV6_ANNOTATION, type Node } from '../../datastore/resources/node.ts';
import type { Cidr } from '../../lib/cidr.ts';
import { type Ip, parseIp } from '../../lib/ip.ts';
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
  const bgpPorts: number[] = [];
  const bgpAddresses: Ip[] = [];
  let serviceRanges: readonly Cidr[] = [];
  for (const resource of resources) {
    if (resource.kind === 'Namespace') namespaces.set(resource.metadata.name, resource.metadata.labels ?? {});
    else if (resource.kind === 'Pod') pods.push(convertPod(resource));
    else if (resource.kind === 'Node') {
      nodes.set(resource.metadata.name, convertNode(resource));
      bgpAddresses.push(...annotatedAddresses(resource));
    } else if (isPolicyResource(resource)) policies.push(resource);
    else if (resource.kind === 'BGPConfiguration') {
      bgpPorts.push(...[resource.spec.listenPort ?? []].flat());
      if (resource.metadata.name === BGP_CONFIGURATION_NAME) serviceRanges = serviceRangesOf(resource);
    }
  }
  return {
    namespaces,
    pods,
    policies,
    nodes: new Map([...nodes].map(([name, { ips }]) => [name, ips])),
    nodeLabels: new Map([...nodes].map(([name, { labels }]) => [name, labels])),
    bgpAddresses,
    bgpPorts,
    serviceRanges,
  };
}

const serviceRangesOf = ({ spec }: BgpConfiguration): readonly Cidr[] =>
  [spec.serviceClusterIPs, spec.serviceExternalIPs, spec.serviceLoadBalancerIPs].flatMap((list = []) =>
    list.map(({ cidr }) => cidr),
  );

const annotatedAddresses = ({ metadata: { annotations = {} } }: Node): readonly Ip[] =>
  [NODE_IPV4_ANNOTATION, NODE_IPV6_ANNOTATION].flatMap((name) => {
    const ip = parseIp((annotations[name] ?? '').replace(/\/\d+$/, ''));
    return ip.ok ? [ip.value] : [];
  });
