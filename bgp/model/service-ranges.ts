// The ranges of service addresses as BGPConfiguration has them, and whether this Node draws their traffic.
import type { BgpConfiguration } from '../../datastore/resources/bgp-configuration.ts';
import type { Node } from '../../datastore/resources/node.ts';
import type { Cidr } from '../../lib/cidr.ts';
import { EXCLUDE_LABEL, type ServiceRanges } from './services.ts';

export function serviceRanges(configuration: BgpConfiguration | undefined, node: Node | undefined): ServiceRanges {
  const { serviceClusterIPs, serviceExternalIPs, serviceLoadBalancerIPs, serviceLoadBalancerAggregation } =
    configuration?.spec ?? {};
  return {
    clusterIps: cidrsOf(serviceClusterIPs),
    externalIps: cidrsOf(serviceExternalIPs),
    loadBalancerIps: cidrsOf(serviceLoadBalancerIPs),
    loadBalancers: serviceLoadBalancerAggregation === 'Disabled' ? 'single' : 'aggregated',
    // The label's presence counts, whatever its value: Kubernetes has it so.
    node: node?.metadata.labels?.[EXCLUDE_LABEL] === undefined ? 'included' : 'excluded',
  };
}

/** All of them, sorted: what is in none of these is no service address. */
export const allServiceRanges = ({ clusterIps, externalIps, loadBalancerIps }: ServiceRanges): readonly Cidr[] =>
  [...new Set([...clusterIps, ...externalIps, ...loadBalancerIps])].sort();

const cidrsOf = (list: readonly { readonly cidr: Cidr }[] = []): readonly Cidr[] => list.map(({ cidr }) => cidr);
