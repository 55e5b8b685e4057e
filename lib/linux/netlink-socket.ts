// A synchronous AF_NETLINK socket over libc. The kernel handles a netlink request inside send(2), so its answers are
// queued when `send` returns and reading them never waits; the receive timeout only guards against being wrong there.
// A socket belongs to the network namespace in which it was opened, wherever the process goes later.
import koffi from 'koffi';
import { KernelError } from './kernel-error.ts';

/** Netlink families in use (include/uapi/linux/netlink.h). */
export const NETLINK = { route: 0, netfilter: 12 } as const;

export type NetlinkSocket = {
  /** Our address; the kernel puts it on events that we caused. */
  readonly portId: number;
  /**
   * One sendmsg(2), growing the send buffer when the message is larger.
   * @throws KernelError
   */
  readonly send: (message: Uint8Array) => void;
  /**
   * One datagram, or `undefined` when none is queued. The bytes are valid until the next call.
   * @throws KernelError `ENOBUFS` when the kernel dropped answers
   */
  readonly receive: (wait: 'wait' | 'poll') => Uint8Array | undefined;
  /** As `send`, in another thread: for what the kernel works on for long. @throws KernelError */
  readonly sendInThread: (message: Uint8Array) => Promise<void>;
  /**
   * As `receive` with `wait`, in another thread: reading a dump makes the kernel prepare its next piece. No other call
   * may be made meanwhile.
   */
  readonly receiveInThread: () => Promise<Uint8Array | undefined>;
  /**
   * The number that an interface ioctl answers for the link of this name in the socket's namespace (netdevice(7)), such as
   * SIOCGIFINDEX; `undefined`: no such link. Takes no lock of the kernel's, for which a netlink request may wait.
   * @throws KernelError
   */
  readonly linkNumber: (code: number, name: string) => number | undefined;
  /** Subscribes to a multicast group of the family. @throws KernelError */
  readonly join: (group: number) => void;
  readonly close: () => void;
};

const AF_NETLINK = 16;
const SOCK_RAW = 3;
const SOCK_CLOEXEC = 0x80000;
const SOL_SOCKET = 1;
const SO_SNDBUFFORCE = 32;
const SO_RCVBUFFORCE = 33;
const SO_RCVTIMEO = 20;
const SOL_NETLINK = 270;
const NETLINK_ADD_MEMBERSHIP = 1;
const NETLINK_CAP_ACK = 10;
const NETLINK_EXT_ACK = 11;
const MSG_DONTWAIT = 0x40;
const MSG_TRUNC = 0x20;
const EINTR = 4;
const EIO = 5;
const EAGAIN = 11;
const EMSGSIZE = 90;
const ENODEV = 19;
const IFREQ_BYTES = 40;
const IFNAMSIZ = 16;

const RECEIVE_TIMEOUT_SECONDS = 5;
const RECEIVE_BYTES = 8 << 20;
const FIRST_SEND_BYTES = 1 << 20;
/** The kernel fills dump datagrams up to the reader's buffer, at most 32 KiB (netlink_dump() in af_netlink.c). */
const DATAGRAM_BYTES = 256 * 1024;

/**
 * `receiveBytes` is how much may be queued before the kernel drops; `datagramBytes` the room for one datagram, of which
 * 64 KiB are enough for a socket that is opened for a moment.
 * @throws KernelError
 */
export function openNetlinkSocket(
  protocol: number,
  options: { readonly receiveBytes?: number; readonly datagramBytes?: number } = {},
): NetlinkSocket {
  const libc = loadLibc();
  const fd = libc.socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, protocol);
  if (fd < 0) throw new KernelError('open a netlink socket', koffi.errno());
  try {
    return connect(libc, fd, options);
  } catch (error) {
    libc.close(fd);
    throw error;
  }
}

function connect(
  libc: Libc,
  fd: number,
  { receiveBytes = RECEIVE_BYTES, datagramBytes = DATAGRAM_BYTES }: Parameters<typeof openNetlinkSocket>[1] & {},
): NetlinkSocket {
  const check = (op: string, result: number): number => {
    if (result < 0) throw new KernelError(op, koffi.errno());
    return result;
  };
  const option = (level: number, name: number, value: Buffer): void => {
    check('set a netlink socket option', libc.setsockopt(fd, level, name, value, value.length));
  };
  let sendBytes = FIRST_SEND_BYTES;
  option(SOL_SOCKET, SO_SNDBUFFORCE, int32(sendBytes));
  option(SOL_SOCKET, SO_RCVBUFFORCE, int32(receiveBytes));
  option(SOL_SOCKET, SO_RCVTIMEO, timeval(RECEIVE_TIMEOUT_SECONDS));
  option(SOL_NETLINK, NETLINK_CAP_ACK, int32(1));
  option(SOL_NETLINK, NETLINK_EXT_ACK, int32(1));
  const address = Buffer.alloc(12);
  address.writeUInt16LE(AF_NETLINK);
  check('bind a netlink socket', libc.bind(fd, address, address.length));
  check('read the address of a netlink socket', libc.getsockname(fd, address, int32(address.length)));
  const buffer = takeBuffer(datagramBytes);
  let open = true;
  let threaded = false;

  return {
    portId: address.readUInt32LE(4),
    send: (message) => {
      // An skb's truesize is larger than its payload, hence twice.
      if (message.length * 2 > sendBytes) {
        sendBytes = message.length * 2;
        option(SOL_SOCKET, SO_SNDBUFFORCE, int32(sendBytes));
      }
      for (;;) {
        if (libc.send(fd, message, message.length, 0) >= 0) return;
        if (koffi.errno() !== EINTR) throw new KernelError('send to netlink', koffi.errno());
      }
    },
    receive: (wait) => {
      for (;;) {
        const length = libc.recv(fd, buffer, buffer.length, MSG_TRUNC | (wait === 'poll' ? MSG_DONTWAIT : 0));
        if (length > buffer.length) throw new KernelError('receive from netlink', EMSGSIZE);
        if (length >= 0) return buffer.subarray(0, length);
        if (koffi.errno() === EAGAIN) return undefined;
        if (koffi.errno() !== EINTR) throw new KernelError('receive from netlink', koffi.errno());
      }
    },
    // The other thread keeps its errno to itself.
    sendInThread: async (message) => {
      const sent = await inThread(libc.send, fd, message, message.length, 0);
      if (sent < 0) throw new KernelError('send to netlink', EIO, 'the kernel did not take the request');
    },
    receiveInThread: async () => {
      threaded = true;
      const length = await inThread(libc.recv, fd, buffer, buffer.length, MSG_TRUNC);
      if (length > buffer.length) throw new KernelError('receive from netlink', EMSGSIZE);
      return length < 0 ? undefined : buffer.subarray(0, length);
    },
    linkNumber: (code, name) => {
      // struct ifreq: the name in 16 bytes, then a union.
      const request = Buffer.alloc(IFREQ_BYTES);
      request.write(name, 0, IFNAMSIZ - 1);
      if (libc.ioctl(fd, code, request) === 0) return request.readInt32LE(IFNAMSIZ);
      if (koffi.errno() === ENODEV) return undefined;
      throw new KernelError(`ask for link "${name}"`, koffi.errno());
    },
    join: (group) => option(SOL_NETLINK, NETLINK_ADD_MEMBERSHIP, int32(group)),
    close: () => {
      if (!open) return;
      open = false;
      libc.close(fd);
      // A thread may still write into it.
      if (!threaded) spare = buffer;
    },
  };
}

// Every pod has a socket for a moment; a new buffer for each would make the garbage collector run.
let spare: Buffer | undefined;

function takeBuffer(size: number): Buffer {
  const fits = spare?.length === size ? spare : undefined;
  if (fits !== undefined) spare = undefined;
  return fits ?? Buffer.allocUnsafeSlow(size);
}

/** A call of a C function on a thread of the pool; what it is given must stay as it is until then. */
function inThread<A extends readonly unknown[]>(call: (...args: A) => number, ...args: A): Promise<number> {
  const { async: callAsync } = call as unknown as { async: (...args: unknown[]) => void };
  return new Promise((resolve, reject) => {
    callAsync(...args, (error: unknown, result: number) =>
      error === null || error === undefined ? resolve(Number(result)) : reject(error),
    );
  });
}

type Libc = ReturnType<typeof bindLibc>;
let bound: Libc | undefined;

function loadLibc(): Libc {
  bound ??= bindLibc();
  return bound;
}

// Loading the process itself instead of a file name finds libc under glibc and musl alike.
function bindLibc() {
  const libc = koffi.load(null);
  return {
    socket: libc.func('int socket(int domain, int type, int protocol)') as (a: number, b: number, c: number) => number,
    setsockopt: libc.func('int setsockopt(int fd, int level, int name, void *value, uint32_t length)') as (
      ...args: [fd: number, level: number, name: number, value: Buffer, length: number]
    ) => number,
    bind: libc.func('int bind(int fd, void *address, uint32_t length)') as (a: number, b: Buffer, c: number) => number,
    getsockname: libc.func('int getsockname(int fd, void *address, void *length)') as (
      ...args: [fd: number, address: Buffer, length: Buffer]
    ) => number,
    send: libc.func('int64_t send(int fd, void *data, size_t length, int flags)') as (
      ...args: [fd: number, data: Uint8Array, length: number, flags: number]
    ) => number,
    recv: libc.func('int64_t recv(int fd, void *data, size_t length, int flags)') as (
      ...args: [fd: number, data: Buffer, length: number, flags: number]
    ) => number,
    ioctl: libc.func('int ioctl(int fd, unsigned long request, void *argument)') as (
      ...args: [fd: number, request: number, argument: Buffer]
    ) => number,
    close: libc.func('int close(int fd)') as (fd: number) => number,
  };
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

function timeval(seconds: number): Buffer {
  const bytes = Buffer.alloc(16);
  bytes.writeBigInt64LE(BigInt(seconds));
  return bytes;
}
