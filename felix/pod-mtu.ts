// The MTU of pod interfaces: that of the uplink, since nothing is encapsulated.
import type { Ip } from '../lib/ip.ts';
import { listAddresses } from '../lib/linux/addresses.ts';
import { findLink } from '../lib/linux/links.ts';
import type { Rtnl } from '../lib/linux/rtnl.ts';

const FALLBACK_BYTES = 1500;

/** In bytes: the MTU of the interface with one of the node's addresses; 1500 when there is none. */
export function podMtu(rtnl: Rtnl, nodeAddresses: readonly Ip[]): number {
  const index = listAddresses(rtnl).find(({ ip }) => nodeAddresses.includes(ip))?.index;
  return (index === undefined ? undefined : findLink(rtnl, { index })?.mtu) ?? FALLBACK_BYTES;
}
