// An AF_PACKET socket on one interface (packet(7)): whole Ethernet frames out, and every frame that arrives, in. It acts
// in the network namespace where it was opened.
import koffi from 'koffi';
import { KernelError } from '../../../lib/linux/kernel-error.ts';

export type PacketSocket = {
  readonly mac: Buffer;
  /** Sends the frame; on a veth the kernel has usually taken it all the way when the call returns. @throws KernelError */
  readonly send: (frame: Buffer) => void;
  /** The next frame, or `undefined` when none is there. Valid until the next call. @throws KernelError */
  readonly receive: () => Buffer | undefined;
  /** Frames that the kernel dropped since the last call because nobody read them. @throws KernelError */
  readonly dropped: () => number;
  readonly close: () => void;
};

const AF_PACKET = 17;
const SOCK_RAW_CLOEXEC_NONBLOCK = 3 | 0x80000 | 0x800;
const ETH_P_ALL_BE = 0x0300;
const ADDRESS_LENGTH = 20; // struct sockaddr_ll
const SOL_SOCKET = 1;
const SO_RCVBUFFORCE = 33;
const SOL_PACKET = 263;
const PACKET_STATISTICS = 6;
const PACKET_IGNORE_OUTGOING = 23;
const EINTR = 4;
const EAGAIN = 11;
const ENODEV = 19;
const ENETDOWN = 100;
const RECEIVE_BYTES = 32 << 20;

/** @throws KernelError */
export function openPacketSocket(ifName: string): PacketSocket {
  const check = (op: string, result: number): number => {
    if (result < 0) throw new KernelError(`${op} on "${ifName}"`, koffi.errno());
    return result;
  };
  const index = libc.if_nametoindex(ifName);
  if (index === 0) throw new KernelError(`open a packet socket on "${ifName}"`, ENODEV);
  // Protocol 0 hears nothing, until `bind` has chosen the interface.
  const fd = check('open a packet socket', libc.socket(AF_PACKET, SOCK_RAW_CLOEXEC_NONBLOCK, 0));
  const option = (level: number, name: number, value: number): void => {
    const bytes = Buffer.alloc(4);
    bytes.writeInt32LE(value);
    check('set an option of a packet socket', libc.setsockopt(fd, level, name, bytes, bytes.length));
  };
  option(SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_BYTES);
  option(SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
  const address = Buffer.alloc(ADDRESS_LENGTH);
  address.writeUInt16LE(AF_PACKET, 0);
  address.writeUInt16LE(ETH_P_ALL_BE, 2);
  address.writeInt32LE(index, 4);
  check('bind a packet socket', libc.bind(fd, address, address.length));
  const length = Buffer.alloc(4);
  length.writeInt32LE(ADDRESS_LENGTH);
  check('read the address of a packet socket', libc.getsockname(fd, address, length));
  const buffer = Buffer.alloc(2048);

  return {
    mac: Buffer.from(address.subarray(12, 18)),
    send: (frame) => {
      check('send a frame', libc.send(fd, frame, frame.length, 0));
    },
    receive: () => {
      for (;;) {
        const size = libc.recv(fd, buffer, buffer.length, 0);
        if (size >= 0) return buffer.subarray(0, size);
        if (koffi.errno() === EAGAIN || koffi.errno() === ENETDOWN) return undefined;
        if (koffi.errno() !== EINTR) throw new KernelError(`receive on "${ifName}"`, koffi.errno());
      }
    },
    dropped: () => {
      const statistics = Buffer.alloc(8);
      const size = Buffer.alloc(4);
      size.writeInt32LE(statistics.length);
      check('read statistics', libc.getsockopt(fd, SOL_PACKET, PACKET_STATISTICS, statistics, size));
      return statistics.readUInt32LE(4);
    },
    close: () => libc.close(fd),
  };
}

const self = koffi.load(null);
const libc = {
  if_nametoindex: self.func('unsigned int if_nametoindex(const char *name)') as (name: string) => number,
  socket: self.func('int socket(int domain, int type, int protocol)') as (...args: [number, number, number]) => number,
  bind: self.func('int bind(int fd, void *address, uint32_t length)') as (...args: [number, Buffer, number]) => number,
  getsockname: self.func('int getsockname(int fd, void *address, void *length)') as (
    ...args: [number, Buffer, Buffer]
  ) => number,
  setsockopt: self.func('int setsockopt(int fd, int level, int name, void *value, uint32_t length)') as (
    ...args: [fd: number, level: number, name: number, value: Buffer, length: number]
  ) => number,
  getsockopt: self.func('int getsockopt(int fd, int level, int name, void *value, void *length)') as (
    ...args: [fd: number, level: number, name: number, value: Buffer, length: Buffer]
  ) => number,
  send: self.func('int64_t send(int fd, void *data, size_t length, int flags)') as (
    ...args: [fd: number, data: Buffer, length: number, flags: number]
  ) => number,
  recv: self.func('int64_t recv(int fd, void *data, size_t length, int flags)') as (
    ...args: [fd: number, data: Buffer, length: number, flags: number]
  ) => number,
  close: self.func('int close(int fd)') as (fd: number) => number,
};
