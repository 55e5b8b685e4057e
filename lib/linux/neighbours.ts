// Neighbour entries (ARP and neighbour discovery) by rtnetlink (include/uapi/linux/neighbour.h).
import { type Ip, ipFamily, ipFromBytes, ipToBytes } from '../ip.ts';
import { AF } from './addresses.ts';
import { KernelError } from './kernel-error.ts';
import { macFromBytes, macToBytes } from './mac.ts';
import { attribute, concatBytes, NLM_F, struct } from './netlink-message.ts';
import { neighbourPayload, readNeighbour } from './rt-payload.ts';
import type { Rtnl, RtnlRequest } from './rtnl.ts';

/** A permanent entry: `ip` on link `index` has `mac`. */
export type Neighbour = { readonly index: number; readonly ip: Ip; readonly mac: string };

const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;
const ENOENT = 2;
const NUD_PERMANENT = 0x80;
const NDA_DST = 1;
const NDA_LLADDR = 2;

/** Writes a permanent entry, in place of any entry of the same address. @throws KernelError */
export function replaceNeighbour(rtnl: Rtnl, { index, ip, mac }: Neighbour): void {
  rtnl.request(replaceNeighbourRequest({ index, ip, mac }));
}

export const replaceNeighbourRequest = ({ index, ip, mac }: Neighbour): RtnlRequest => ({
  op: `set neighbour ${ip} of link ${index}`,
  type: RTM_NEWNEIGH,
  flags: NLM_F.CREATE | NLM_F.REPLACE,
  payload: payloadOf(ip, index, mac),
});

/** @returns false when there was none. @throws KernelError */
export function deleteNeighbour(rtnl: Rtnl, { index, ip }: Pick<Neighbour, 'index' | 'ip'>): boolean {
  const payload = payloadOf(ip, index);
  try {
    rtnl.request({ op: `delete neighbour ${ip} of link ${index}`, type: RTM_DELNEIGH, payload });
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === ENOENT) return false;
    throw error;
  }
}

/** The permanent entries of one link, or of all. @throws KernelError */
export function listNeighbours(rtnl: Rtnl, index?: number): readonly Neighbour[] {
  return rtnl.dump({ op: 'list neighbours', type: RTM_GETNEIGH, payload: neighbourPayload({}) }, (message) => {
    const entry = message.type === RTM_NEWNEIGH ? readNeighbour(message.payload) : undefined;
    if (entry?.data.state?.permanent !== true) return undefined;
    const { ifindex: owner = 0 } = entry.data;
    const { dst, lladdr } = entry.attrs;
    if (lladdr?.length !== 6 || (dst?.length !== 4 && dst?.length !== 16)) return undefined;
    if (index !== undefined && owner !== index) return undefined;
    return { index: owner, ip: ipFromBytes(dst), mac: macFromBytes(lladdr) };
  });
}

const payloadOf = (ip: Ip, index: number, mac?: string): Uint8Array =>
  concatBytes([
    struct([1, AF[ipFamily(ip)]], [1, 0], [2, 0], [4, index], [2, NUD_PERMANENT], [1, 0], [1, 0]),
    attribute(NDA_DST, ipToBytes(ip)),
    ...(mac === undefined ? [] : [attribute(NDA_LLADDR, macToBytes(mac))]),
  ]);
