// One endpoint in the sets and maps of the dispatch.
import { ipFamily } from '../../../lib/ip.ts';
import type { IfName } from '../../../lib/linux/if-name.ts';
import type { Element } from '../../../lib/nftables/ast.ts';
import type { EndpointPolicy, ProfileKey } from '../../../policy/model/types.ts';
import { ENDPOINT_SETS, profileChainName } from './names.ts';

/**
 * Its addresses, itself for the hairpin, and where its packets are judged. A profile that `isOpen` has no chain: its
 * packets are accepted at once.
 */
export function endpointElements(
  ifName: IfName,
  { egress, ingress, ips }: EndpointPolicy,
  isOpen: (key: ProfileKey) => boolean,
): readonly Element[] {
  const dispatchElement = (direction: 'egress' | 'ingress', profile: ProfileKey): Element => ({
    kind: 'element',
    set: ENDPOINT_SETS.dispatch[direction],
    key: [ifName],
    verdict: isOpen(profile) ? { kind: 'accept' } : { kind: 'goto', chain: profileChainName(profile, direction) },
  });
  return [
    ...ips.map((ip): Element => ({ kind: 'element', set: ENDPOINT_SETS.addresses[ipFamily(ip)], key: [ifName, ip] })),
    { kind: 'element', set: ENDPOINT_SETS.hairpin, key: [ifName, ifName] },
    dispatchElement('egress', egress),
    dispatchElement('ingress', ingress),
  ];
}
