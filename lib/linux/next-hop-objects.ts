// Next hops as objects of the kernel, which routes name by number (`struct nhmsg` and NHA_* of
// include/uapi/linux/nexthop.h): one gateway, or a group of such objects that share the traffic equally.
import { type Ip, ipFamily, ipFromBytes } from '../ip.ts';
import { AF } from './addresses.ts';
import { decodeAttributes, type NetlinkMessage, NLM_F, readU32 } from './netlink-message.ts';
import { createNetlinkWriter } from './netlink-writer.ts';
import type { Rtnl, RtnlRequest } from './rtnl.ts';

export type NextHopObject = {
  /** 1 to 2^32 - 1, of the whole network namespace. */
  readonly id: number;
  /** Who wrote it (RTPROT_*). */
  readonly protocol: number;
  readonly to:
    | { readonly kind: 'gateway'; readonly gateway: Ip; readonly oif: number; readonly onlink?: boolean }
    | { readonly kind: 'group'; readonly members: readonly number[] };
};

const RTM_NEWNEXTHOP = 104;
const RTM_DELNEXTHOP = 105;
const RTM_GETNEXTHOP = 106;
const NHA = { ID: 1, GROUP: 2, OIF: 5, GATEWAY: 6 } as const;
const NHMSG_LENGTH = 8;
/** `struct nexthop_grp`: id, weight less one, and three bytes of nothing. */
const MEMBER_LENGTH = 8;
const RTNH_F_ONLINK = 4;

const writer = createNetlinkWriter();

/** Adds the object, or gives the one with this number another meaning: all its routes follow at once. */
export function writeNextHop({ id, protocol, to }: NextHopObject): RtnlRequest {
  writeNhmsg({
    family: to.kind === 'group' ? AF_UNSPEC : AF[ipFamily(to.gateway)],
    protocol,
    flags: to.kind === 'gateway' && to.onlink === true ? RTNH_F_ONLINK : 0,
  });
  writeU32(NHA.ID, id);
  if (to.kind === 'gateway') {
    writeU32(NHA.OIF, to.oif);
    const at = writer.begin(NHA.GATEWAY);
    writer.ip(to.gateway);
    writer.end(at);
  } else {
    const at = writer.begin(NHA.GROUP);
    for (const member of to.members) {
      writer.u32(member);
      writer.u32(0);
    }
    writer.end(at);
  }
  return {
    op: `write next hop ${id}`,
    type: RTM_NEWNEXTHOP,
    flags: NLM_F.CREATE | NLM_F.REPLACE,
    payload: writer.take(),
  };
}

/** The kernel deletes with it the routes that name it, and takes it out of groups. */
export function deleteNextHop(id: number): RtnlRequest {
  writeNhmsg({ family: AF_UNSPEC, protocol: 0, flags: 0 });
  writeU32(NHA.ID, id);
  return { op: `delete next hop ${id}`, type: RTM_DELNEXTHOP, payload: writer.take() };
}

/** Gateways and groups of all protocols; other kinds of objects are left out. @throws KernelError */
export function dumpNextHops(rtnl: Rtnl): readonly NextHopObject[] {
  writeNhmsg({ family: AF_UNSPEC, protocol: 0, flags: 0 });
  return rtnl.dump({ op: 'list next hops', type: RTM_GETNEXTHOP, payload: writer.take() }, decodeNextHop);
}

function decodeNextHop({ type, payload }: NetlinkMessage): NextHopObject | undefined {
  if (type !== RTM_NEWNEXTHOP || payload.length < NHMSG_LENGTH) return undefined;
  const attributes = decodeAttributes(payload.subarray(NHMSG_LENGTH));
  const [id, group, oif, gateway] = [NHA.ID, NHA.GROUP, NHA.OIF, NHA.GATEWAY].map((key) => attributes.get(key));
  if (id === undefined) return undefined;
  const base = { id: readU32(id), protocol: payload[2] ?? 0 };
  if (group !== undefined) {
    const members: number[] = [];
    for (let at = 0; at + MEMBER_LENGTH <= group.length; at += MEMBER_LENGTH) members.push(readU32(group, at));
    return { ...base, to: { kind: 'group', members } };
  }
  if (oif === undefined || (gateway?.length !== 4 && gateway?.length !== 16)) return undefined;
  const onlink = (readU32(payload, 4) & RTNH_F_ONLINK) !== 0;
  return {
    ...base,
    to: { kind: 'gateway', gateway: ipFromBytes(gateway), oif: readU32(oif), ...(onlink && { onlink }) },
  };
}

const AF_UNSPEC = 0;

function writeNhmsg({ family, protocol, flags }: Readonly<Record<'family' | 'protocol' | 'flags', number>>): void {
  writer.u8(family);
  writer.u8(0);
  writer.u8(protocol);
  writer.u8(0);
  writer.u32(flags);
}

function writeU32(type: number, value: number): void {
  const at = writer.begin(type);
  writer.u32(value);
  writer.end(at);
}
