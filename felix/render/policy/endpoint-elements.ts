// One endpoint in the sets and maps of the dispatch.
import { ipFamily } from '../../../lib/ip.ts';
import type { IfName } from '../../../lib/linux/if-name.ts';
import type { Element } from '../../../lib/nftables/ast.ts';
import type { EndpointPolicy } from '../../../policy/model/types.ts';
import { ENDPOINT_SETS, profileChainName } from './names.ts';

/** Its addresses, itself for the hairpin, and where its packets are judged. */
export function endpointElements(ifName: IfName, { egress, ingress, ips }: EndpointPolicy): readonly Element[] {
  return [
    ...ips.map((ip): Element => ({ kind: 'element', set: ENDPOINT_SETS.addresses[ipFamily(ip)], key: [ifName, ip] })),
    { kind: 'element', set: ENDPOINT_SETS.hairpin, key: [ifName, ifName] },
    dispatchElement(ifName, 'egress', egress),
    dispatchElement(ifName, 'ingress', ingress),
  ];
}

const dispatchElement = (
  ifName: IfName,
  direction: 'egress' | 'ingress',
  profile: EndpointPolicy['egress'],
): Element => ({
  kind: 'element',
  set: ENDPOINT_SETS.dispatch[direction],
  key: [ifName],
  verdict: { kind: 'goto', chain: profileChainName(profile, direction) },
});
