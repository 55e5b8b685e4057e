// Neighbour entries (ARP and neighbour discovery) by rtnetlink (include/uapi/linux/neighbour.h).
import { type Ip, ipFamily, ipFromBytes, ipToBytes } from '../ip.ts';
import { AF } from './addresses.ts';
import { KernelError } from './kernel-error.ts';
import { macFromBytes, macToBytes } from './links.ts';
import { attribute, concatBytes, decodeAttributes, NLM_F, readU16, readU32, struct } from './netlink-message.ts';
import type { Rtnl } from './rtnl.ts';

/** A permanent entry: `ip` on link `index` has `mac`. */
export type Neighbour = { readonly index: number; readonly ip: Ip; readonly mac: string };

const RTM_NEWNEIGH = 28;
const RTM_DELNEIGH = 29;
const RTM_GETNEIGH = 30;
const NDA_DST = 1;
const NDA_LLADDR = 2;
const NUD_PERMANENT = 0x80;
const NDMSG_LENGTH = 12;
const ENOENT = 2;

/** Writes a permanent entry, in place of any entry of the same address. @throws KernelError */
export function replaceNeighbour(rtnl: Rtnl, { index, ip, mac }: Neighbour): void {
  rtnl.request({
    op: `set neighbour ${ip} of link ${index}`,
    type: RTM_NEWNEIGH,
    flags: NLM_F.CREATE | NLM_F.REPLACE,
    payload: concatBytes([ndmsg(ip, index), attribute(NDA_DST, ipToBytes(ip)), attribute(NDA_LLADDR, macToBytes(mac))]),
  });
}

/** @returns false when there was none. @throws KernelError */
export function deleteNeighbour(rtnl: Rtnl, { index, ip }: Pick<Neighbour, 'index' | 'ip'>): boolean {
  const payload = concatBytes([ndmsg(ip, index), attribute(NDA_DST, ipToBytes(ip))]);
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
  const payload = struct([1, 0], [1, 0], [2, 0], [4, 0], [2, 0], [1, 0], [1, 0]);
  return rtnl.dump({ op: 'list neighbours', type: RTM_GETNEIGH, payload }, ({ type, payload: bytes }) => {
    if (type !== RTM_NEWNEIGH || bytes.length < NDMSG_LENGTH) return undefined;
    if ((readU16(bytes, 8) & NUD_PERMANENT) === 0) return undefined;
    const owner = readU32(bytes, 4);
    const attributes = decodeAttributes(bytes.subarray(NDMSG_LENGTH));
    const [ip, mac] = [attributes.get(NDA_DST), attributes.get(NDA_LLADDR)];
    if (mac?.length !== 6 || (ip?.length !== 4 && ip?.length !== 16)) return undefined;
    if (index !== undefined && owner !== index) return undefined;
    return { index: owner, ip: ipFromBytes(ip), mac: macFromBytes(mac) };
  });
}

/** `struct ndmsg` */
const ndmsg = (ip: Ip, index: number): Uint8Array =>
  struct([1, AF[ipFamily(ip)]], [1, 0], [2, 0], [4, index], [2, NUD_PERMANENT], [1, 0], [1, 0]);
