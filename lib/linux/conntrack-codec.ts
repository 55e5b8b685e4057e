// Tracked flows on the wire of ctnetlink (include/uapi/linux/netfilter/nfnetlink_conntrack.h, nfnetlink.h). Pure. A dump
// may hold a hundred thousand flows, so reading one walks its bytes once and makes no maps.
import { type Family, type Ip, ipFamily, ipFromBytes, ipToBytes } from '../ip.ts';
import { attribute, concatBytes, encodeMessage, NLM_F } from './netlink-message.ts';

/** One direction of a flow, as packets of that direction look where they enter the node. */
export type FlowTuple = {
  readonly src: Ip;
  readonly dst: Ip;
  /** TCP, UDP, SCTP, DCCP and UDP-Lite only. */
  readonly ports?: { readonly src: number; readonly dst: number };
  /** ICMP and ICMPv6 only. */
  readonly icmp?: { readonly type: number; readonly code: number; readonly id: number };
};

/** A flow that conntrack follows. Behind address translation `reply` is not the mirror of `original`. */
export type Flow = {
  /** IP protocol number. */
  readonly protocol: number;
  readonly original: FlowTuple;
  readonly reply: FlowTuple;
  /** 0 to 2^32 - 1. */
  readonly mark: number;
  /** `enum ip_conntrack_status` bits. */
  readonly status: number;
  /** Tells two flows apart that had the same tuple one after the other. */
  readonly id: number;
  /** Absent: zone 0. */
  readonly zone?: number;
};

/** Flows whose mark has `value` in the bits of `mask`. */
export type MarkFilter = { readonly value: number; readonly mask: number };

const NFNL_SUBSYS_CTNETLINK = 1;
const IPCTNL_MSG_CT = { new: 0, get: 1, delete: 2 } as const;
const CTA = { original: 1, reply: 2, status: 3, mark: 8, id: 12, zone: 18, markMask: 21 } as const;
const CTA_TUPLE = { ip: 1, protocol: 2 } as const;
const CTA_IP = { 4: { src: 1, dst: 2 }, 6: { src: 3, dst: 4 } } as const;
const CTA_PROTO = { number: 1, srcPort: 2, dstPort: 3 } as const;
const CTA_PROTO_ICMP = { 4: { id: 4, type: 5, code: 6 }, 6: { id: 7, type: 8, code: 9 } } as const;
const NFPROTO = { any: 0, 4: 2, 6: 10 } as const;
const NFGENMSG_BYTES = 4;
const NESTED = 0x8000;
const TYPE_MASK = 0x3fff;
const PROTOCOL_ICMP = 1;
const PROTOCOL_ICMPV6 = 58;

/** Asks for the flows of both families, of these marks only when `filter` is there. */
export function encodeFlowDump(sequence: number, filter?: MarkFilter): Uint8Array {
  const attributes =
    filter === undefined ? [] : [attribute(CTA.mark, be32(filter.value)), attribute(CTA.markMask, be32(filter.mask))];
  return message(IPCTNL_MSG_CT.get, NLM_F.DUMP, { sequence, family: NFPROTO.any, attributes });
}

/** Deletes this very flow; another one that took its tuple meanwhile stays, and the answer is ENOENT. */
export function encodeFlowDelete(sequence: number, flow: Flow): Uint8Array {
  return aboutFlow(IPCTNL_MSG_CT.delete, sequence, flow, [attribute(CTA.id, be32(flow.id))]);
}

/** Writes `value` into the bits of `mask` and keeps the others, whatever they are by then. */
export function encodeFlowMark(sequence: number, flow: Flow, { value, mask }: MarkFilter): Uint8Array {
  const attributes = [attribute(CTA.mark, be32(value)), attribute(CTA.markMask, be32(mask))];
  return aboutFlow(IPCTNL_MSG_CT.new, sequence, flow, attributes);
}

/** `payload` is what follows the netlink header. Absent when it is no complete flow. */
export function decodeFlow(payload: Uint8Array): Flow | undefined {
  const bytes = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength);
  let original: DecodedTuple | undefined;
  let reply: DecodedTuple | undefined;
  let mark = 0;
  let status = 0;
  let id = 0;
  let zone = 0;
  walk(bytes, NFGENMSG_BYTES, bytes.length, (type, at, end) => {
    if (type === CTA.original) original = decodeTuple(bytes, at, end);
    else if (type === CTA.reply) reply = decodeTuple(bytes, at, end);
    else if (type === CTA.mark && end - at >= 4) mark = bytes.readUInt32BE(at);
    else if (type === CTA.status && end - at >= 4) status = bytes.readUInt32BE(at);
    else if (type === CTA.id && end - at >= 4) id = bytes.readUInt32BE(at);
    else if (type === CTA.zone && end - at >= 2) zone = bytes.readUInt16BE(at);
  });
  if (original === undefined || reply === undefined) return undefined;
  const { protocol } = original;
  const flow = { protocol, original: original.tuple, reply: reply.tuple, mark, status, id };
  return zone === 0 ? flow : { ...flow, zone };
}

type DecodedTuple = { readonly protocol: number; readonly tuple: FlowTuple };

function decodeTuple(bytes: Buffer, from: number, to: number): DecodedTuple | undefined {
  let src: Ip | undefined;
  let dst: Ip | undefined;
  let protocol = -1;
  let srcPort = -1;
  let dstPort = -1;
  const icmp = { type: -1, code: 0, id: 0 };
  walk(bytes, from, to, (group, start, stop) => {
    walk(bytes, start, stop, (type, at, end) => {
      if (group === CTA_TUPLE.ip) {
        if (type === CTA_IP[4].src || type === CTA_IP[6].src) src = readIp(bytes, at, end);
        else if (type === CTA_IP[4].dst || type === CTA_IP[6].dst) dst = readIp(bytes, at, end);
      } else if (group === CTA_TUPLE.protocol && end > at) {
        if (type === CTA_PROTO.number) protocol = bytes.readUInt8(at);
        else if (type === CTA_PROTO_ICMP[4].type || type === CTA_PROTO_ICMP[6].type) icmp.type = bytes.readUInt8(at);
        else if (type === CTA_PROTO_ICMP[4].code || type === CTA_PROTO_ICMP[6].code) icmp.code = bytes.readUInt8(at);
        else if (end - at < 2) return;
        else if (type === CTA_PROTO.srcPort) srcPort = bytes.readUInt16BE(at);
        else if (type === CTA_PROTO.dstPort) dstPort = bytes.readUInt16BE(at);
        else if (type === CTA_PROTO_ICMP[4].id || type === CTA_PROTO_ICMP[6].id) icmp.id = bytes.readUInt16BE(at);
      }
    });
  });
  if (src === undefined || dst === undefined || protocol < 0) return undefined;
  if (srcPort >= 0 && dstPort >= 0) return { protocol, tuple: { src, dst, ports: { src: srcPort, dst: dstPort } } };
  if (icmp.type >= 0) return { protocol, tuple: { src, dst, icmp } };
  return { protocol, tuple: { src, dst } };
}

function readIp(bytes: Buffer, at: number, end: number): Ip | undefined {
  if (end - at === 4) return `${bytes[at]}.${bytes[at + 1]}.${bytes[at + 2]}.${bytes[at + 3]}` as Ip;
  return end - at === 16 ? ipFromBytes(bytes.subarray(at, end)) : undefined;
}

/** Attributes between `from` and `to`; stops at the first malformed one. */
function walk(bytes: Buffer, from: number, to: number, visit: (type: number, at: number, end: number) => void): void {
  for (let at = from; at + 4 <= to; ) {
    const length = bytes.readUInt16LE(at);
    if (length < 4 || at + length > to) return;
    visit(bytes.readUInt16LE(at + 2) & TYPE_MASK, at + 4, at + length);
    at += (length + 3) & ~3;
  }
}

function aboutFlow(type: number, sequence: number, flow: Flow, more: readonly Uint8Array[]): Uint8Array {
  const family = ipFamily(flow.original.src);
  const zone = flow.zone === undefined ? [] : [attribute(CTA.zone, be16(flow.zone))];
  const attributes = [encodeTuple(CTA.original, flow.protocol, flow.original), ...zone, ...more];
  return message(type, 0, { sequence, family: NFPROTO[family], attributes });
}

function encodeTuple(type: number, protocol: number, { src, dst, ports, icmp }: FlowTuple): Uint8Array {
  const family: Family = ipFamily(src);
  const parts = [attribute(CTA_PROTO.number, Uint8Array.of(protocol))];
  if (ports !== undefined) {
    parts.push(attribute(CTA_PROTO.srcPort, be16(ports.src)), attribute(CTA_PROTO.dstPort, be16(ports.dst)));
  }
  if (icmp !== undefined && (protocol === PROTOCOL_ICMP || protocol === PROTOCOL_ICMPV6)) {
    const names = CTA_PROTO_ICMP[protocol === PROTOCOL_ICMP ? 4 : 6];
    parts.push(attribute(names.id, be16(icmp.id)));
    parts.push(attribute(names.type, Uint8Array.of(icmp.type)), attribute(names.code, Uint8Array.of(icmp.code)));
  }
  const addresses = [
    attribute(CTA_IP[family].src, ipToBytes(src)),
    attribute(CTA_IP[family].dst, ipToBytes(dst)),
  ] as const;
  return nested(type, nested(CTA_TUPLE.ip, ...addresses), nested(CTA_TUPLE.protocol, ...parts));
}

const nested = (type: number, ...children: readonly Uint8Array[]): Uint8Array =>
  attribute(type | NESTED, concatBytes(children));

function message(
  type: number,
  flags: number,
  options: { readonly sequence: number; readonly family: number; readonly attributes: readonly Uint8Array[] },
): Uint8Array {
  const { sequence, family, attributes } = options;
  // struct nfgenmsg: family, version 0, resource id 0.
  const payload = concatBytes([Uint8Array.of(family, 0, 0, 0), ...attributes]);
  return encodeMessage((NFNL_SUBSYS_CTNETLINK << 8) | type, NLM_F.REQUEST | flags, sequence, payload);
}

const be16 = (value: number): Uint8Array => Uint8Array.of(value >>> 8, value & 0xff);

const be32 = (value: number): Uint8Array =>
  Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
