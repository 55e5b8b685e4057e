// Addresses of links by rtnetlink (include/uapi/linux/if_addr.h).
import { type Family, type Ip, ipFamily, ipFromBytes, ipToBytes } from '../ip.ts';
import { KernelError } from './kernel-error.ts';
import { attribute, concatBytes, type NetlinkMessage, NLM_F, struct } from './netlink-message.ts';
import { addressPayload, readAddress } from './rt-payload.ts';
import type { Rtnl, RtnlRequest } from './rtnl.ts';

/** An address on a link, with the prefix length of its subnet. */
export type LinkAddress = { readonly index: number; readonly ip: Ip; readonly prefixLength: number };

export const AF = { 4: 2, 6: 10 } as const satisfies Record<Family, number>;
export const RTM_NEWADDR = 20;
export const RTM_DELADDR = 21;
const RTM_GETADDR = 22;
const EADDRNOTAVAIL = 99;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const IFA_F_NODAD = 2;

/**
 * Adds an address. Duplicate address detection is off: addresses are assigned by the node, and an address under test
 * could not be used at once.
 * @throws KernelError EEXIST when the link has it
 */
export function addAddress(rtnl: Rtnl, address: LinkAddress): void {
  rtnl.request(addAddressRequest(address));
}

export const addAddressRequest = (address: LinkAddress): RtnlRequest => ({
  op: `add address ${address.ip}/${address.prefixLength} to link ${address.index}`,
  type: RTM_NEWADDR,
  flags: NLM_F.CREATE | NLM_F.EXCL,
  payload: encodeAddress(address),
});

/** @returns false when the link does not have it. @throws KernelError */
export function deleteAddress(rtnl: Rtnl, address: LinkAddress): boolean {
  const op = `delete address ${address.ip}/${address.prefixLength} from link ${address.index}`;
  try {
    rtnl.request({ op, type: RTM_DELADDR, payload: encodeAddress(address) });
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === EADDRNOTAVAIL) return false;
    throw error;
  }
}

/** Addresses of one link, or of all. @throws KernelError */
export function listAddresses(rtnl: Rtnl, index?: number): readonly LinkAddress[] {
  const payload = addressPayload({});
  return rtnl.dump({ op: 'list addresses', type: RTM_GETADDR, payload }, (message) => {
    const address = decodeAddress(message);
    return index === undefined || address?.index === index ? address : undefined;
  });
}

/** `undefined`: not a message about an IPv4 or IPv6 address. */
export function decodeAddress({ type, payload }: NetlinkMessage): LinkAddress | undefined {
  const message = type === RTM_NEWADDR || type === RTM_DELADDR ? readAddress(payload) : undefined;
  if (message === undefined) return undefined;
  const { index = 0, prefixlen = 0 } = message.data;
  // On a point-to-point link `address` is the other side.
  const bytes = message.attrs.local ?? message.attrs.address;
  if (bytes === undefined || (bytes.length !== 4 && bytes.length !== 16)) return undefined;
  return { index, ip: ipFromBytes(bytes), prefixLength: prefixlen };
}

function encodeAddress({ index, ip, prefixLength }: LinkAddress): Uint8Array {
  const bytes = ipToBytes(ip);
  return concatBytes([
    struct([1, AF[ipFamily(ip)]], [1, prefixLength], [1, IFA_F_NODAD], [1, 0], [4, index]),
    attribute(IFA_ADDRESS, bytes),
    attribute(IFA_LOCAL, bytes),
  ]);
}
