// Network links by rtnetlink: read, create a veth pair, change, delete (include/uapi/linux/if_link.h).
import { KernelError } from './kernel-error.ts';
import {
  attribute,
  concatBytes,
  decodeAttributes,
  type NetlinkMessage,
  NLM_F,
  nested,
  readI32,
  readString,
  readU32,
  stringAttribute,
  struct,
  u32Attribute,
} from './netlink-message.ts';
import type { Rtnl } from './rtnl.ts';

/** A link. `running` is the carrier; `peerIndex` is the ifindex of a veth's other end, in the other end's namespace. */
export type Link = {
  readonly index: number;
  readonly name: string;
  /** Driver, such as `veth` or `bridge`; absent for physical links. */
  readonly kind?: string;
  readonly up: boolean;
  readonly running: boolean;
  readonly mtu: number;
  readonly mac?: string;
  readonly group: number;
  readonly alias?: string;
  readonly peerIndex?: number;
};

/** A veth pair whose peer is born in another namespace under its final name. */
export type VethSpec = {
  readonly name: string;
  readonly mac: string;
  readonly mtu: number;
  readonly peer: { readonly name: string; readonly netnsFd: number };
};

/** What to change of a link; absent: as it is. */
export type LinkChange = {
  readonly up?: boolean;
  readonly mtu?: number;
  readonly mac?: string;
  readonly group?: number;
  readonly alias?: string;
};

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_SETLINK = 19;
const IFF_UP = 0x1;
const IFF_LOWER_UP = 0x10000;
const VETH_INFO_PEER = 1;
const RTEXT_FILTER_SKIP_STATS = 8;
const ENODEV = 19;
const IFINFOMSG_LENGTH = 16;

export const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  LINKINFO: 18,
  IFALIAS: 20,
  GROUP: 27,
  NET_NS_FD: 28,
  EXT_MASK: 29,
} as const satisfies Record<string, number>;
const INFO_KIND = 1;
const INFO_DATA = 2;

/** @throws KernelError */
export function listLinks(rtnl: Rtnl): readonly Link[] {
  const payload = concatBytes([ifinfo(), u32Attribute(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS)]);
  return rtnl.dump({ op: 'list links', type: RTM_GETLINK, payload }, decodeLink);
}

/** `undefined`: there is none. @throws KernelError */
export function findLink(rtnl: Rtnl, by: { readonly name: string } | { readonly index: number }): Link | undefined {
  const skip = u32Attribute(IFLA.EXT_MASK, RTEXT_FILTER_SKIP_STATS);
  const payload =
    'name' in by
      ? concatBytes([ifinfo(), stringAttribute(IFLA.IFNAME, by.name), skip])
      : concatBytes([ifinfo({ index: by.index }), skip]);
  const op = `find link "${'name' in by ? by.name : by.index}"`;
  try {
    return rtnl.request({ op, type: RTM_GETLINK, payload }).flatMap((message) => decodeLink(message) ?? [])[0];
  } catch (error) {
    if (error instanceof KernelError && error.errno === ENODEV) return undefined;
    throw error;
  }
}

/**
 * Creates both ends at once, down: the driver opens no end before it knows the other. Creating the peer where it belongs
 * avoids moving it later, for which the kernel waits some 15 ms.
 * @throws KernelError EEXIST when either name is taken
 */
export function createVeth(rtnl: Rtnl, { name, mac, mtu, peer }: VethSpec): void {
  const peerInfo = attribute(
    VETH_INFO_PEER,
    concatBytes([
      ifinfo(),
      stringAttribute(IFLA.IFNAME, peer.name),
      u32Attribute(IFLA.MTU, mtu),
      u32Attribute(IFLA.NET_NS_FD, peer.netnsFd),
    ]),
  );
  rtnl.request({
    op: `create veth "${name}" with peer "${peer.name}"`,
    type: RTM_NEWLINK,
    flags: NLM_F.CREATE | NLM_F.EXCL,
    payload: concatBytes([
      ifinfo(),
      stringAttribute(IFLA.IFNAME, name),
      u32Attribute(IFLA.MTU, mtu),
      attribute(IFLA.ADDRESS, macToBytes(mac)),
      nested(IFLA.LINKINFO, stringAttribute(INFO_KIND, 'veth'), nested(INFO_DATA, peerInfo)),
    ]),
  });
}

/** @throws KernelError */
export function setLink(rtnl: Rtnl, index: number, { up, mtu, mac, group, alias }: LinkChange): void {
  const attributes = [
    ...(mtu === undefined ? [] : [u32Attribute(IFLA.MTU, mtu)]),
    ...(mac === undefined ? [] : [attribute(IFLA.ADDRESS, macToBytes(mac))]),
    ...(group === undefined ? [] : [u32Attribute(IFLA.GROUP, group)]),
    ...(alias === undefined ? [] : [attribute(IFLA.IFALIAS, new TextEncoder().encode(alias))]),
  ];
  const flags = up === undefined ? {} : { flags: up ? IFF_UP : 0, change: IFF_UP };
  const payload = concatBytes([ifinfo({ index, ...flags }), ...attributes]);
  rtnl.request({ op: `change link ${index}`, type: RTM_SETLINK, payload });
}

/**
 * Deletes a link; a veth's other end goes with it. Blocks some 16 ms: see doomed-links.ts for another way.
 * @returns false when there was none
 * @throws KernelError
 */
export function deleteLink(rtnl: Rtnl, index: number): boolean {
  try {
    rtnl.request({ op: `delete link ${index}`, type: RTM_DELLINK, payload: ifinfo({ index }) });
    return true;
  } catch (error) {
    if (error instanceof KernelError && error.errno === ENODEV) return false;
    throw error;
  }
}

/** `struct ifinfomsg` */
export function ifinfo({
  index = 0,
  flags = 0,
  change = 0,
}: {
  readonly index?: number;
  readonly flags?: number;
  readonly change?: number;
} = {}): Uint8Array {
  return struct([1, 0], [1, 0], [2, 0], [4, index], [4, flags], [4, change]);
}

/** `undefined`: not a message about a link. */
export function decodeLink({ type, payload }: NetlinkMessage): Link | undefined {
  if ((type !== RTM_NEWLINK && type !== RTM_DELLINK) || payload.length < IFINFOMSG_LENGTH) return undefined;
  const attributes = decodeAttributes(payload.subarray(IFINFOMSG_LENGTH));
  const flags = readU32(payload, 8);
  const [mtu, group, peer] = [attributes.get(IFLA.MTU), attributes.get(IFLA.GROUP), attributes.get(IFLA.LINK)];
  const [name, mac, alias] = [attributes.get(IFLA.IFNAME), attributes.get(IFLA.ADDRESS), attributes.get(IFLA.IFALIAS)];
  const kind = decodeAttributes(attributes.get(IFLA.LINKINFO) ?? new Uint8Array()).get(INFO_KIND);
  return {
    index: readI32(payload, 4),
    name: name === undefined ? '' : readString(name),
    ...(kind === undefined ? {} : { kind: readString(kind) }),
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_LOWER_UP) !== 0,
    mtu: mtu === undefined ? 0 : readU32(mtu),
    ...(mac === undefined || mac.length !== 6 ? {} : { mac: macFromBytes(mac) }),
    group: group === undefined ? 0 : readU32(group),
    ...(alias === undefined ? {} : { alias: readString(alias) }),
    ...(peer === undefined ? {} : { peerIndex: readU32(peer) }),
  };
}

/** Six hex bytes with colons. @throws RangeError for other text */
export function macToBytes(mac: string): Uint8Array {
  if (!/^[0-9a-f]{2}(:[0-9a-f]{2}){5}$/i.test(mac)) {
    throw new RangeError(`Cannot use MAC address "${mac}": expected six hex bytes with colons`);
  }
  return Uint8Array.from(mac.split(':'), (byte) => Number.parseInt(byte, 16));
}

export const macFromBytes = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join(':');
