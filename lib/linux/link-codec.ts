// Links on the wire (`struct ifinfomsg` and IFLA_* of include/uapi/linux/if_link.h). A message of the kernel has some sixty
// attributes, most of them statistics; only those that anybody here reads are looked at, since every link that comes or
// goes is told of about ten times.
import type { Link } from './links.ts';
import { macFromBytes, macToBytes } from './mac.ts';
import { align, type NetlinkMessage, readString, readU16, readU32 } from './netlink-message.ts';
import { createNetlinkWriter } from './netlink-writer.ts';

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;

/** What a request says of a link; absent: nothing. */
export type LinkAttributes = {
  readonly index?: number;
  readonly up?: boolean;
  readonly name?: string;
  readonly mac?: string;
  readonly mtu?: number;
  readonly group?: number;
  readonly alias?: string;
  /** The namespace where the link shall be. */
  readonly netnsFd?: number;
  /** The other end: the link is a veth then. */
  readonly peer?: LinkAttributes;
  /** Values of net.ipv4.conf.LINK by IPV4_DEVCONF_* (include/uapi/linux/ip.h). */
  readonly ipv4?: ReadonlyMap<number, number>;
  /** What the answer may have or leave out (RTEXT_FILTER_*). */
  readonly extMask?: number;
};

const IFLA = {
  ADDRESS: 1,
  IFNAME: 3,
  MTU: 4,
  LINK: 5,
  LINKINFO: 18,
  IFALIAS: 20,
  AF_SPEC: 26,
  GROUP: 27,
  NET_NS_FD: 28,
  EXT_MASK: 29,
} as const;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1; // include/uapi/linux/veth.h
const IFLA_INET_CONF = 1;
const AF_INET = 2;
const IFINFOMSG_BYTES = 16;
const IFF_UP = 0x1; // include/uapi/linux/if.h
const IFF_LOWER_UP = 0x10000;
const TYPE_MASK = 0x3fff;

const out = createNetlinkWriter();
const UTF8 = new TextEncoder();

/** The payload of a request. @throws RangeError for a MAC address that is none */
export function encodeLink(link: LinkAttributes): Uint8Array {
  writeLink(link);
  return out.take();
}

function writeLink({ index = 0, up, ...attributes }: LinkAttributes): void {
  out.u32(0);
  out.u32(index);
  out.u32(up === true ? IFF_UP : 0);
  out.u32(up === undefined ? 0 : IFF_UP);
  const { name, mac, mtu, group, alias, netnsFd, peer, ipv4, extMask } = attributes;
  if (mac !== undefined) bytesAttribute(IFLA.ADDRESS, macToBytes(mac));
  if (name !== undefined) bytesAttribute(IFLA.IFNAME, UTF8.encode(`${name}\0`));
  if (mtu !== undefined) u32Attribute(IFLA.MTU, mtu);
  if (group !== undefined) u32Attribute(IFLA.GROUP, group);
  if (alias !== undefined) bytesAttribute(IFLA.IFALIAS, UTF8.encode(alias));
  if (netnsFd !== undefined) u32Attribute(IFLA.NET_NS_FD, netnsFd);
  if (extMask !== undefined) u32Attribute(IFLA.EXT_MASK, extMask);
  if (peer !== undefined) {
    nest(IFLA.LINKINFO, () => {
      bytesAttribute(IFLA_INFO_KIND, UTF8.encode('veth'));
      nest(IFLA_INFO_DATA, () => nest(VETH_INFO_PEER, () => writeLink(peer)));
    });
  }
  if (ipv4 !== undefined) {
    nest(IFLA.AF_SPEC, () =>
      nest(AF_INET, () =>
        nest(IFLA_INET_CONF, () => {
          for (const [key, value] of ipv4) u32Attribute(key, value);
        }),
      ),
    );
  }
}

function nest(type: number, content: () => void): void {
  const at = out.begin(type);
  content();
  out.end(at);
}

const u32Attribute = (type: number, value: number): void => nest(type, () => out.u32(value));

const bytesAttribute = (type: number, bytes: Uint8Array): void =>
  nest(type, () => {
    for (const byte of bytes) out.u8(byte);
  });

/** `undefined`: not a message about a link. */
export function decodeLink({ type, payload }: NetlinkMessage): Link | undefined {
  if ((type !== RTM_NEWLINK && type !== RTM_DELLINK) || payload.length < IFINFOMSG_BYTES) return undefined;
  const flags = readU32(payload, 8);
  const link: { -readonly [key in keyof Link]: Link[key] } = {
    index: readU32(payload, 4),
    name: '',
    up: (flags & IFF_UP) !== 0,
    running: (flags & IFF_LOWER_UP) !== 0,
    mtu: 0,
    group: 0,
  };
  for (let at = IFINFOMSG_BYTES; at + 4 <= payload.length; ) {
    const length = readU16(payload, at);
    if (length < 4 || at + length > payload.length) break;
    const from = at + 4;
    const to = at + length;
    switch (readU16(payload, at + 2) & TYPE_MASK) {
      case IFLA.ADDRESS:
        if (to - from === 6) link.mac = macFromBytes(payload.subarray(from, to));
        break;
      case IFLA.IFNAME:
        link.name = readString(payload.subarray(from, to));
        break;
      case IFLA.MTU:
        link.mtu = readU32(payload, from);
        break;
      case IFLA.LINK:
        link.peerIndex = readU32(payload, from);
        break;
      case IFLA.LINKINFO: {
        const kind = kindOf(payload, from, to);
        if (kind !== undefined) link.kind = kind;
        break;
      }
      case IFLA.IFALIAS:
        link.alias = readString(payload.subarray(from, to));
        break;
      case IFLA.GROUP:
        link.group = readU32(payload, from);
        break;
      default:
    }
    at += align(length);
  }
  return link;
}

/** In the attributes from `from` up to `to`. */
function kindOf(payload: Uint8Array, from: number, to: number): string | undefined {
  for (let at = from; at + 4 <= to; ) {
    const length = readU16(payload, at);
    if (length < 4 || at + length > to) break;
    if ((readU16(payload, at + 2) & TYPE_MASK) === IFLA_INFO_KIND) {
      return readString(payload.subarray(at + 4, at + length));
    }
    at += align(length);
  }
  return undefined;
}
