// First packets of connections as bytes: an Ethernet frame with a TCP SYN, a UDP datagram, an SCTP INIT or an echo
// request, and a number in it by which it is known again wherever it arrives.
import { type Ip, ipFamily, ipToBytes } from '../../../lib/ip.ts';
import { crc32c, internetChecksum } from './checksums.ts';

/** `id` is 1 to 2^32 - 1. `sport` is also the identifier of an echo request; `dport` means nothing to it. */
export type Frame = {
  readonly id: number;
  readonly destinationMac: Buffer;
  readonly sourceMac: Buffer;
  readonly saddr: Ip;
  readonly daddr: Ip;
  readonly protocol: 'tcp' | 'udp' | 'sctp' | 'icmp';
  readonly sport: number;
  readonly dport: number;
};

const PROTOCOL_NUMBERS = { tcp: 6, udp: 17, sctp: 132, icmp: 1 } as const satisfies Record<Frame['protocol'], number>;
const ICMPV6 = 58;
const ETHERNET_LENGTH = 14;
const ETHERTYPES = { 4: 0x0800, 6: 0x86dd } as const;
const NETWORK_LENGTHS = { 4: 20, 6: 40 } as const;
const ECHO_REQUESTS = { 4: 8, 6: 128 } as const;

export function encodeFrame(frame: Frame): Buffer {
  const { destinationMac, sourceMac, saddr, daddr, protocol } = frame;
  const family = ipFamily(saddr);
  const number = family === 6 && protocol === 'icmp' ? ICMPV6 : PROTOCOL_NUMBERS[protocol];
  const addresses = Buffer.concat([bytesOf(saddr), bytesOf(daddr)]);
  const transport = encodeTransport(frame, addresses, number);
  const type = Buffer.alloc(2);
  type.writeUInt16BE(ETHERTYPES[family]);
  const network = family === 4 ? ipv4(number, addresses, transport.length) : ipv6(number, addresses, transport.length);
  return Buffer.concat([destinationMac, sourceMac, type, network, transport]);
}

/** The number of a frame that `encodeFrame` made; `undefined`: another frame. */
export function frameId(bytes: Buffer): number | undefined {
  if (bytes.length < ETHERNET_LENGTH + NETWORK_LENGTHS[4]) return undefined;
  const type = bytes.readUInt16BE(12);
  const family = type === ETHERTYPES[4] ? 4 : type === ETHERTYPES[6] ? 6 : undefined;
  if (family === undefined) return undefined;
  const number = bytes.readUInt8(ETHERNET_LENGTH + (family === 4 ? 9 : 6));
  const transport = bytes.subarray(ETHERNET_LENGTH + NETWORK_LENGTHS[family]);
  if (number === PROTOCOL_NUMBERS.tcp) return readId(transport, 4);
  if (number === PROTOCOL_NUMBERS.udp) return readId(transport, 8);
  if (number === PROTOCOL_NUMBERS.sctp) return readId(transport, 16);
  const isEcho = (number === PROTOCOL_NUMBERS.icmp || number === ICMPV6) && transport[0] === ECHO_REQUESTS[family];
  return isEcho ? readId(transport, 8) : undefined;
}

const readId = (transport: Buffer, at: number): number | undefined =>
  transport.length >= at + 4 ? transport.readUInt32BE(at) : undefined;

function ipv4(number: number, addresses: Buffer, length: number): Buffer {
  const header = Buffer.alloc(12);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(NETWORK_LENGTHS[4] + length, 2);
  header.writeUInt16BE(0x4000, 6); // DF
  header.writeUInt8(64, 8);
  header.writeUInt8(number, 9);
  header.writeUInt16BE(internetChecksum(header, addresses), 10);
  return Buffer.concat([header, addresses]);
}

function ipv6(number: number, addresses: Buffer, length: number): Buffer {
  const header = Buffer.alloc(8);
  header.writeUInt8(0x60, 0);
  header.writeUInt16BE(length, 4);
  header.writeUInt8(number, 6);
  header.writeUInt8(64, 7);
  return Buffer.concat([header, addresses]);
}

function encodeTransport(frame: Frame, addresses: Buffer, number: number): Buffer {
  switch (frame.protocol) {
    case 'tcp':
      return withChecksum(tcpSyn(frame), { at: 16, addresses, number });
    case 'udp':
      return withChecksum(udp(frame), { at: 6, addresses, number });
    case 'sctp':
      return sctpInit(frame);
    case 'icmp':
      // The pseudo header is part of ICMPv6's checksum only.
      return withChecksum(echoRequest(frame), {
        at: 2,
        addresses: number === ICMPV6 ? addresses : undefined,
        number,
      });
    default:
      return frame.protocol satisfies never;
  }
}

function withChecksum(
  transport: Buffer,
  { at, addresses, number }: { at: number; addresses: Buffer | undefined; number: number },
): Buffer {
  const pseudo = Buffer.alloc(addresses === undefined ? 0 : 4);
  if (addresses !== undefined) {
    pseudo.writeUInt16BE(transport.length, 0);
    pseudo.writeUInt16BE(number, 2);
  }
  transport.writeUInt16BE(internetChecksum(addresses ?? pseudo, pseudo, transport) || 0xffff, at);
  return transport;
}

// RFC 9293 3.1. Without options; the sequence number is the id.
function tcpSyn({ id, sport, dport }: Frame): Buffer {
  const bytes = Buffer.alloc(20);
  bytes.writeUInt16BE(sport, 0);
  bytes.writeUInt16BE(dport, 2);
  bytes.writeUInt32BE(id, 4);
  bytes.writeUInt16BE(0x5002, 12); // five words, SYN
  bytes.writeUInt16BE(0xffff, 14);
  return bytes;
}

function udp({ id, sport, dport }: Frame): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt16BE(sport, 0);
  bytes.writeUInt16BE(dport, 2);
  bytes.writeUInt16BE(bytes.length, 4);
  bytes.writeUInt32BE(id, 8);
  return bytes;
}

// RFC 9260 3.3.2. The initiate tag is the id; the common header's tag is zero.
function sctpInit({ id, sport, dport }: Frame): Buffer {
  const bytes = Buffer.alloc(32);
  bytes.writeUInt16BE(sport, 0);
  bytes.writeUInt16BE(dport, 2);
  bytes.writeUInt8(1, 12);
  bytes.writeUInt16BE(20, 14);
  bytes.writeUInt32BE(id, 16);
  bytes.writeUInt32BE(0xffff, 20);
  bytes.writeUInt16BE(1, 24);
  bytes.writeUInt16BE(1, 26);
  bytes.writeUInt32BE(id, 28);
  bytes.writeUInt32LE(crc32c(bytes), 8);
  return bytes;
}

function echoRequest({ id, saddr, sport }: Frame): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt8(ECHO_REQUESTS[ipFamily(saddr)], 0);
  bytes.writeUInt16BE(sport, 4);
  bytes.writeUInt16BE(1, 6);
  bytes.writeUInt32BE(id, 8);
  return bytes;
}

const known = new Map<Ip, Buffer>();

function bytesOf(ip: Ip): Buffer {
  const bytes = known.get(ip) ?? Buffer.from(ipToBytes(ip));
  known.set(ip, bytes);
  return bytes;
}
