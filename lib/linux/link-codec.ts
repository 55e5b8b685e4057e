// Links as the kernel tells them (`struct ifinfomsg` and IFLA_* of include/uapi/linux/if_link.h). A message has some sixty
// attributes, most of them statistics; only those that anybody here reads are looked at, since every link that comes or
// goes is told of about ten times.
import type { Link } from './links.ts';
import { macFromBytes } from './mac.ts';
import { align, type NetlinkMessage, readString, readU16, readU32 } from './netlink-message.ts';

export const RTM_NEWLINK = 16;
export const RTM_DELLINK = 17;

const IFLA = { ADDRESS: 1, IFNAME: 3, MTU: 4, LINK: 5, LINKINFO: 18, IFALIAS: 20, GROUP: 27 } as const;
const IFLA_INFO_KIND = 1;
const IFINFOMSG_BYTES = 16;
const IFF_UP = 0x1; // include/uapi/linux/if.h
const IFF_LOWER_UP = 0x10000;
const TYPE_MASK = 0x3fff;

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
    const [from, to] = [at + 4, at + length];
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
        const kind = kindOf(payload.subarray(from, to));
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

function kindOf(info: Uint8Array): string | undefined {
  for (let at = 0; at + 4 <= info.length; ) {
    const length = readU16(info, at);
    if (length < 4 || at + length > info.length) break;
    if ((readU16(info, at + 2) & TYPE_MASK) === IFLA_INFO_KIND) return readString(info.subarray(at + 4, at + length));
    at += align(length);
  }
  return undefined;
}
