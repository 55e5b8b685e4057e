// Frames that no honest pod sends, put together header by header. Checksums and lengths are right, so that whoever drops
// one does it for what it says. Headers: RFC 791, RFC 8200, RFC 768, RFC 9293, RFC 792, RFC 4443, RFC 826, IEEE 802.1Q.
import { type Ip, ipFamily, ipToBytes } from '../../../lib/ip.ts';
import { internetChecksum } from './checksums.ts';

export type Addresses = { readonly saddr: Ip; readonly daddr: Ip };

export const ETHERTYPE = { ipv4: 0x0800, arp: 0x0806, vlan: 0x8100, ipv6: 0x86dd, serviceVlan: 0x88a8 } as const;
export const PROTOCOL = { icmp: 1, ipip: 4, tcp: 6, udp: 17, ipv6: 41, gre: 47, icmpv6: 58, none: 59 } as const;
/** Extension headers of IPv6. */
export const EXTENSION = { hopByHop: 0, routing: 43, fragment: 44, authentication: 51, destination: 60 } as const;
export const TCP_FLAGS = { fin: 1, syn: 2, rst: 4, ack: 16 } as const;

export type Ends = { readonly to: Buffer; readonly from: Buffer };

export const ethernet = ({ to, from }: Ends, type: number, payload: Buffer): Buffer =>
  Buffer.concat([to, from, uint16(type), payload]);

/** A frame with a VLAN tag of `id` in front of its own type; 0 is a priority tag. */
export const tagged = (frame: Buffer, id: number, type: number = ETHERTYPE.vlan): Buffer =>
  Buffer.concat([frame.subarray(0, 12), uint16(type), uint16(id), frame.subarray(12)]);

/** IP of the addresses' family, in a frame. */
export function packetFrame(ends: Ends, packet: Buffer): Buffer {
  return ethernet(ends, (packet[0] ?? 0) >> 4 === 4 ? ETHERTYPE.ipv4 : ETHERTYPE.ipv6, packet);
}

/** `options` is padded to words. `fragment` has its offset in bytes; absent: the packet is whole. */
export function ipv4(
  { saddr, daddr }: Addresses,
  protocol: number,
  payload: Buffer,
  more: { readonly options?: Buffer; readonly fragment?: Fragment } = {},
): Buffer {
  const options = padded(more.options ?? Buffer.alloc(0), 4);
  const header = Buffer.alloc(20 + options.length);
  header.writeUInt8(0x40 | (header.length / 4), 0);
  header.writeUInt16BE(header.length + payload.length, 2);
  const { id = 1, offset = 0, last = true } = more.fragment ?? {};
  header.writeUInt16BE(id, 4);
  header.writeUInt16BE((last ? 0 : 0x2000) | (offset / 8), 6);
  header.writeUInt8(64, 8);
  header.writeUInt8(protocol, 9);
  header.set(ipToBytes(saddr), 12);
  header.set(ipToBytes(daddr), 16);
  header.set(options, 20);
  header.writeUInt16BE(internetChecksum(header), 10);
  return Buffer.concat([header, payload]);
}

export type Fragment = { readonly id: number; readonly offset: number; readonly last: boolean };

/** `extensions` are the numbers of headers with their bodies after the first two bytes, in order. */
export function ipv6(
  { saddr, daddr }: Addresses,
  protocol: number,
  payload: Buffer,
  more: { readonly extensions?: readonly Extension[]; readonly hopLimit?: number } = {},
): Buffer {
  const { extensions = [], hopLimit = 64 } = more;
  const chain = extensions.map(({ kind, body }, index) => {
    const next = extensions[index + 1]?.kind ?? protocol;
    const bytes = padded(Buffer.concat([Buffer.from([next, 0]), body]), 8);
    // Units of eight bytes beyond the first; AH (RFC 4302) counts words beyond two; a fragment's is reserved.
    const length = kind === EXTENSION.authentication ? bytes.length / 4 - 2 : bytes.length / 8 - 1;
    bytes.writeUInt8(kind === EXTENSION.fragment ? 0 : length, 1);
    return bytes;
  });
  const header = Buffer.alloc(40);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(payload.length + chain.reduce((sum, { length }) => sum + length, 0), 4);
  header.writeUInt8(extensions[0]?.kind ?? protocol, 6);
  header.writeUInt8(hopLimit, 7);
  header.set(ipToBytes(saddr), 8);
  header.set(ipToBytes(daddr), 24);
  return Buffer.concat([header, ...chain, payload]);
}

export type Extension = { readonly kind: number; readonly body: Buffer };

/** The extension header of a fragment. */
export const fragment6 = ({ id, offset, last }: Fragment): Extension => {
  const body = Buffer.alloc(6);
  body.writeUInt16BE(offset | (last ? 0 : 1), 0);
  body.writeUInt32BE(id, 2);
  return { kind: EXTENSION.fragment, body };
};

/** IPv4 or IPv6, as the addresses are. */
export const packet = (addresses: Addresses, protocol: number, payload: Buffer): Buffer =>
  ipFamily(addresses.saddr) === 4 ? ipv4(addresses, protocol, payload) : ipv6(addresses, protocol, payload);

export function udp(addresses: Addresses, ports: Ports, data: Buffer): Buffer {
  const bytes = Buffer.concat([uint16(ports.sport), uint16(ports.dport), uint16(8 + data.length), uint16(0), data]);
  return withChecksum(addresses, PROTOCOL.udp, bytes, 6);
}

export type Ports = { readonly sport: number; readonly dport: number };

export function tcp(addresses: Addresses, ports: Ports, flags: number, data: Buffer = Buffer.alloc(0)): Buffer {
  const bytes = Buffer.concat([uint16(ports.sport), uint16(ports.dport), Buffer.alloc(16), data]);
  bytes.writeUInt32BE(1, 4);
  if ((flags & TCP_FLAGS.ack) !== 0) bytes.writeUInt32BE(1, 8);
  bytes.writeUInt16BE(0x5000 | flags, 12);
  bytes.writeUInt16BE(0xffff, 14);
  return withChecksum(addresses, PROTOCOL.tcp, bytes, 16);
}

/** ICMP, or ICMPv6 where the addresses are IPv6. `body` begins after the checksum. */
export function icmp(addresses: Addresses, type: number, code: number, body: Buffer): Buffer {
  const bytes = Buffer.concat([Buffer.from([type, code, 0, 0]), body]);
  if (ipFamily(addresses.saddr) === 6) return withChecksum(addresses, PROTOCOL.icmpv6, bytes, 2);
  bytes.writeUInt16BE(internetChecksum(bytes), 2);
  return bytes;
}

/** The error that a host without a listener sends, about the packet `quoted` (RFC 792, RFC 4443 3.1). */
export function portUnreachable(addresses: Addresses, quoted: Buffer): Buffer {
  const [protocol, type, code] = ipFamily(addresses.saddr) === 4 ? [PROTOCOL.icmp, 3, 3] : [PROTOCOL.icmpv6, 1, 4];
  return packet(addresses, protocol, icmp(addresses, type, code, Buffer.concat([Buffer.alloc(4), quoted])));
}

/** Ethernet and IPv4. `op`: 1 request, 2 reply. */
export function arp(
  op: 1 | 2,
  sender: { readonly mac: Buffer; readonly ip: Ip },
  target: { readonly mac: Buffer; readonly ip: Ip },
): Buffer {
  const head = Buffer.from([0, 1, 8, 0, 6, 4, 0, op]);
  return Buffer.concat([head, sender.mac, ipToBytes(sender.ip), target.mac, ipToBytes(target.ip)]);
}

function withChecksum({ saddr, daddr }: Addresses, protocol: number, bytes: Buffer, at: number): Buffer {
  const pseudo = Buffer.concat([ipToBytes(saddr), ipToBytes(daddr), uint16(bytes.length), uint16(protocol)]);
  bytes.writeUInt16BE(internetChecksum(pseudo, bytes) || 0xffff, at);
  return bytes;
}

const padded = (bytes: Buffer, unit: number): Buffer =>
  Buffer.concat([bytes, Buffer.alloc((unit - (bytes.length % unit)) % unit)]);

function uint16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16BE(value);
  return bytes;
}
