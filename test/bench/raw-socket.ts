// UDP packets made by hand and sent many at a time, with any source port: raw sockets of IPv4 over libc. A socket belongs to
// the namespace in which it was opened, so that one process can be both ends. On the way from one pod to the other the
// kernel does all its work inside the send.
import koffi from 'koffi';
import { type Ip, ipToBytes } from '../../lib/ip.ts';

export type Udp = { readonly from: Ip; readonly to: Ip; readonly sport: number; readonly dport: number };

export type RawSender = {
  /** Sends the packets in order. @throws Error when not all could be sent */
  readonly send: (packets: PacketBatch) => void;
  readonly close: () => void;
};

export type PacketBatch = { readonly count: number; readonly headers: Buffer; readonly keep: readonly Buffer[] };

export type UdpReceiver = {
  /** Number of datagrams that were waiting, now gone; the source ports of the last ones are in `sports`. */
  readonly drain: (sports?: Set<number>) => number;
  /** Answers the sender of one packet from the port that it was sent to. */
  readonly reply: (to: Ip, port: number) => void;
  readonly close: () => void;
};

const AF_INET = 2;
const SOCK_RAW = 3;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0x80000;
const IPPROTO_RAW = 255;
const IPPROTO_UDP = 17;
const MSG_DONTWAIT = 0x40;
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SO_SNDBUFFORCE = 32;
const IP_BYTES = 20;
const UDP_BYTES = 8;
const PAYLOAD_BYTES = 36;
const PACKET_BYTES = IP_BYTES + UDP_BYTES + PAYLOAD_BYTES;
/** struct mmsghdr of 64-bit machines: struct msghdr of 56 bytes, the length sent, padding. */
const MMSGHDR_BYTES = 64;
const IOVEC_BYTES = 16;
const SOCKADDR_BYTES = 16;
const MOST_AT_ONCE = 256;

const libc = koffi.load(null);
const socket = libc.func('int socket(int domain, int type, int protocol)') as (
  a: number,
  b: number,
  c: number,
) => number;
const close = libc.func('int close(int fd)') as (fd: number) => number;
const bind = libc.func('int bind(int fd, void *address, uint32_t length)') as (
  a: number,
  b: Buffer,
  c: number,
) => number;
const setsockopt = libc.func('int setsockopt(int fd, int level, int name, void *value, uint32_t length)') as (
  ...args: [fd: number, level: number, name: number, value: Buffer, length: number]
) => number;
const sendmmsg = libc.func('int sendmmsg(int fd, void *messages, unsigned int count, int flags)') as (
  ...args: [fd: number, messages: Buffer, count: number, flags: number]
) => number;
const sendto = libc.func(
  'int64_t sendto(int fd, void *data, size_t length, int flags, void *address, uint32_t addressLength)',
) as (
  ...args: [fd: number, data: Buffer, length: number, flags: number, address: Buffer, addressLength: number]
) => number;
const recvfrom = libc.func(
  'int64_t recvfrom(int fd, void *data, size_t length, int flags, void *address, void *addressLength)',
) as (
  ...args: [fd: number, data: Buffer, length: number, flags: number, address: Buffer, addressLength: Buffer]
) => number;

/** Lays packets out in memory, to be sent as often as wanted. */
export function packetBatch(packets: readonly Udp[]): PacketBatch {
  const count = packets.length;
  const headers = Buffer.alloc(count * MMSGHDR_BYTES);
  const iovecs = Buffer.alloc(count * IOVEC_BYTES);
  const addresses = Buffer.alloc(count * SOCKADDR_BYTES);
  const data = Buffer.alloc(count * PACKET_BYTES);
  const [iovecsAt, addressesAt, dataAt] = [iovecs, addresses, data].map((buffer) => koffi.address(buffer));
  if (iovecsAt === undefined || addressesAt === undefined || dataAt === undefined) throw new Error('Cannot happen');
  packets.forEach((packet, i) => {
    data.set(packetBytes(packet), i * PACKET_BYTES);
    addresses.set(socketAddress(packet.to, 0), i * SOCKADDR_BYTES);
    iovecs.writeBigUInt64LE(dataAt + BigInt(i * PACKET_BYTES), i * IOVEC_BYTES);
    iovecs.writeBigUInt64LE(BigInt(PACKET_BYTES), i * IOVEC_BYTES + 8);
    const at = i * MMSGHDR_BYTES;
    headers.writeBigUInt64LE(addressesAt + BigInt(i * SOCKADDR_BYTES), at);
    headers.writeUInt32LE(SOCKADDR_BYTES, at + 8);
    headers.writeBigUInt64LE(iovecsAt + BigInt(i * IOVEC_BYTES), at + 16);
    headers.writeBigUInt64LE(1n, at + 24);
  });
  return { count, headers, keep: [iovecs, addresses, data] };
}

/** To be opened in the sender's namespace. @throws Error */
export function openRawSender(): RawSender {
  const fd = opened(socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW));
  setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, int32(16 << 20), 4);
  return {
    send: ({ count, headers }) => {
      for (let sent = 0; sent < count; ) {
        const part = headers.subarray(sent * MMSGHDR_BYTES);
        const result = sendmmsg(fd, part, Math.min(count - sent, MOST_AT_ONCE), 0);
        if (result <= 0) throw new Error(`Cannot send packets: error ${koffi.errno()}`);
        sent += result;
      }
    },
    close: () => {
      close(fd);
    },
  };
}

/** To be opened in the receiver's namespace. @throws Error */
export function openUdpReceiver(ip: Ip, port: number): UdpReceiver {
  const fd = opened(socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, IPPROTO_UDP));
  setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, int32(64 << 20), 4);
  if (bind(fd, socketAddress(ip, port), SOCKADDR_BYTES) !== 0) throw new Error(`Cannot bind: error ${koffi.errno()}`);
  const data = Buffer.alloc(2048);
  const address = Buffer.alloc(SOCKADDR_BYTES);
  const length = int32(SOCKADDR_BYTES);
  return {
    drain: (sports) => {
      for (let count = 0; ; count++) {
        if (recvfrom(fd, data, data.length, MSG_DONTWAIT, address, length) < 0) return count;
        sports?.add(address.readUInt16BE(2));
      }
    },
    reply: (to, toPort) => {
      sendto(fd, data, PAYLOAD_BYTES, 0, socketAddress(to, toPort), SOCKADDR_BYTES);
    },
    close: () => {
      close(fd);
    },
  };
}

// RFC 791 and RFC 768. The kernel fills in length and checksum of the IP header; a UDP checksum of 0 is none.
function packetBytes({ from, to, sport, dport }: Udp): Buffer {
  const bytes = Buffer.alloc(PACKET_BYTES);
  bytes.writeUInt8(0x45, 0);
  bytes.writeUInt16BE(PACKET_BYTES, 2);
  bytes.writeUInt8(64, 8);
  bytes.writeUInt8(IPPROTO_UDP, 9);
  bytes.set(ipToBytes(from), 12);
  bytes.set(ipToBytes(to), 16);
  bytes.writeUInt16BE(sport, IP_BYTES);
  bytes.writeUInt16BE(dport, IP_BYTES + 2);
  bytes.writeUInt16BE(UDP_BYTES + PAYLOAD_BYTES, IP_BYTES + 4);
  return bytes;
}

function socketAddress(ip: Ip, port: number): Buffer {
  const address = Buffer.alloc(SOCKADDR_BYTES);
  address.writeUInt16LE(AF_INET);
  address.writeUInt16BE(port, 2);
  address.set(ipToBytes(ip), 4);
  return address;
}

function opened(fd: number): number {
  if (fd < 0) throw new Error(`Cannot open a socket: error ${koffi.errno()}`);
  return fd;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}
