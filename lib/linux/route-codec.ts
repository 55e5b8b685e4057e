// Routes on the wire (`struct rtmsg` and RTA_* of include/uapi/linux/rtnetlink.h).
import { type Cidr, cidrAddress, cidrFamily, cidrLength, cidrOf } from '../cidr.ts';
import { type Family, familyBits, type Ip, ipFamily, ipFromBigInt, ipFromBytes } from '../ip.ts';
import { AF } from './addresses.ts';
import { align, decodeAttributes, type NetlinkMessage, readI32, readU16, readU32 } from './netlink-message.ts';
import { createNetlinkWriter } from './netlink-writer.ts';
import type { NextHop, Route, RouteKey } from './routes.ts';

export const RTM_NEWROUTE = 24;
export const RTM_DELROUTE = 25;
export const RTM_GETROUTE = 26;

const RTN = { unicast: 1, blackhole: 6, unreachable: 7, prohibit: 8 } as const satisfies Record<Route['type'], number>;
const TYPES: ReadonlyMap<number, Route['type']> = new Map(
  Object.entries(RTN).map(([type, number]) => [number, type as Route['type']]),
);
const RT_TABLE_MAIN = 254;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_NOWHERE = 255;
const RTM_F_CLONED = 0x200;
const RTM_F_FIB_MATCH = 0x2000;
const RTNH_F_ONLINK = 4;
const RTA = { DST: 1, OIF: 4, GATEWAY: 5, PRIORITY: 6, MULTIPATH: 9, TABLE: 15, VIA: 18, NH_ID: 30 } as const;
const RTMSG_LENGTH = 12;
const RTNEXTHOP_LENGTH = 8;

const writer = createNetlinkWriter();

/** A route to write, or the key of one to delete (any type and scope, this protocol and metric). */
export function encodeRoute(
  route: RouteKey & Pick<Route, 'nextHops' | 'nextHopId' | 'oif' | 'scope'> & { readonly type?: Route['type'] },
  purpose: 'write' | 'delete',
): Uint8Array {
  const { dst, protocol, metric, oif, nextHops, type } = route;
  const family = cidrFamily(dst);
  const [only] = nextHops;
  writeRtmsg({
    family: AF[family],
    dstLength: cidrLength(dst),
    protocol,
    scope: purpose === 'delete' ? RT_SCOPE_NOWHERE : (route.scope ?? usualScope(route, family)),
    type: type === undefined ? 0 : RTN[type],
    flags: nextHops.length === 1 && only?.onlink === true && route.nextHopId === undefined ? RTNH_F_ONLINK : 0,
  });
  const to = writer.begin(RTA.DST);
  writer.ip(cidrAddress(dst));
  writer.end(to);
  writeU32(RTA.PRIORITY, metric);
  if (oif !== undefined) writeU32(RTA.OIF, oif);
  if (route.nextHopId !== undefined) writeU32(RTA.NH_ID, route.nextHopId);
  else if (nextHops.length > 1) {
    const multipath = writer.begin(RTA.MULTIPATH);
    for (const hop of nextHops) writeNextHop(hop, family);
    writer.end(multipath);
  } else if (only !== undefined) {
    writeGateway(only.gateway, family);
    if (only.oif !== undefined) writeU32(RTA.OIF, only.oif);
  }
  return writer.take();
}

/** Asks which route packets of the node take to an address, and not for what was made of it. */
export function encodeLookup(ip: Ip): Uint8Array {
  const family = ipFamily(ip);
  writeRtmsg({ family: AF[family], dstLength: familyBits(family), flags: RTM_F_FIB_MATCH });
  const to = writer.begin(RTA.DST);
  writer.ip(ip);
  writer.end(to);
  return writer.take();
}

/** `undefined`: not a route of these tables, a route of another type, or a mere cache entry. */
export function decodeRoute({ type, payload }: NetlinkMessage, tables: 'main' | 'all' = 'main'): Route | undefined {
  if ((type !== RTM_NEWROUTE && type !== RTM_DELROUTE) || payload.length < RTMSG_LENGTH) return undefined;
  const [af = 0, dstLength = 0, , , shortTable = 0, protocol = 0, scope = 0, rtn = 0] = payload;
  const attributes = decodeAttributes(payload.subarray(RTMSG_LENGTH));
  const read = (key: number): number | undefined => {
    const bytes = attributes.get(key);
    return bytes === undefined ? undefined : readU32(bytes);
  };
  const family = af === AF[4] ? 4 : af === AF[6] ? 6 : undefined;
  const routeType = TYPES.get(rtn);
  const flags = readU32(payload, 8);
  if (family === undefined || routeType === undefined) return undefined;
  if (tables === 'main' && (read(RTA.TABLE) ?? shortTable) !== RT_TABLE_MAIN) return undefined;
  if ((flags & RTM_F_CLONED) !== 0) return undefined;
  const dst = attributes.get(RTA.DST);
  const nextHops = decodeNextHops(attributes, flags);
  const nextHopId = read(RTA.NH_ID);
  const oif = routeType === 'unicast' && nextHops.length === 0 ? read(RTA.OIF) : undefined;
  const route = {
    dst: destination(dst, dstLength, family),
    type: routeType,
    protocol,
    metric: read(RTA.PRIORITY) ?? 0,
    ...(oif === undefined ? {} : { oif }),
    nextHops,
    ...(nextHopId === undefined ? {} : { nextHopId }),
  } satisfies Route;
  return scope === usualScope(route, family) ? route : { ...route, scope };
}

type RtmsgFields = {
  readonly family: number;
  readonly dstLength?: number;
  readonly protocol?: number;
  readonly scope?: number;
  readonly type?: number;
  readonly flags?: number;
};

/** `struct rtmsg` for the main table. */
export function rtmsg(fields: RtmsgFields): Uint8Array {
  writeRtmsg(fields);
  return writer.take();
}

function writeRtmsg({ family, dstLength = 0, protocol = 0, scope = 0, type = 0, flags = 0 }: RtmsgFields): void {
  writer.u8(family);
  writer.u8(dstLength);
  writer.u16(0); // length of a source prefix, type of service
  writer.u8(RT_TABLE_MAIN);
  writer.u8(protocol);
  writer.u8(scope);
  writer.u8(type);
  writer.u32(flags);
}

function writeU32(type: number, value: number): void {
  const at = writer.begin(type);
  writer.u32(value);
  writer.end(at);
}

const destination = (bytes: Uint8Array | undefined, length: number, family: Family): Cidr =>
  cidrOf(bytes === undefined ? ipFromBigInt(0n, family) : ipFromBytes(bytes), length);

const usualScope = (route: Pick<Route, 'nextHops' | 'oif'>, family: Family): number =>
  family === 4 && route.oif !== undefined && route.nextHops.length === 0 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE;

// A gateway of the other family (RFC 8950) has its own attribute, which begins with the family.
function writeGateway(gateway: Ip, family: Family): void {
  const same = ipFamily(gateway) === family;
  const at = writer.begin(same ? RTA.GATEWAY : RTA.VIA);
  if (!same) writer.u16(AF[ipFamily(gateway)]);
  writer.ip(gateway);
  writer.end(at);
}

// `struct rtnexthop` followed by its attributes; its length, which comes first as in an attribute, counts both.
function writeNextHop({ gateway, oif, onlink }: NextHop, family: Family): void {
  const at = writer.position();
  writer.u16(0);
  writer.u8(onlink === true ? RTNH_F_ONLINK : 0);
  writer.u8(0);
  writer.u32(oif ?? 0);
  writeGateway(gateway, family);
  writer.end(at);
}

function decodeNextHops(attributes: ReadonlyMap<number, Uint8Array>, flags: number): readonly NextHop[] {
  const multipath = attributes.get(RTA.MULTIPATH);
  const oif = attributes.get(RTA.OIF);
  if (multipath === undefined) {
    return nextHop(attributes, flags, oif === undefined ? undefined : readU32(oif));
  }
  const hops: NextHop[] = [];
  for (let at = 0; at + RTNEXTHOP_LENGTH <= multipath.length; ) {
    const length = readU16(multipath, at);
    if (length < RTNEXTHOP_LENGTH || at + length > multipath.length) break;
    const inner = decodeAttributes(multipath.subarray(at + RTNEXTHOP_LENGTH, at + length));
    hops.push(...nextHop(inner, multipath[at + 2] ?? 0, readI32(multipath, at + 4)));
    at += align(length);
  }
  return hops;
}

function nextHop(
  attributes: ReadonlyMap<number, Uint8Array>,
  flags: number,
  oif: number | undefined,
): readonly NextHop[] {
  const bytes = attributes.get(RTA.GATEWAY) ?? attributes.get(RTA.VIA)?.subarray(2);
  if (bytes === undefined || (bytes.length !== 4 && bytes.length !== 16)) return [];
  return [
    {
      gateway: ipFromBytes(bytes),
      ...(oif === undefined ? {} : { oif }),
      ...((flags & RTNH_F_ONLINK) === 0 ? {} : { onlink: true }),
    },
  ];
}
