// Requests to the kernel's routing socket (rtnetlink(7)) and their answers. Synchronous: the kernel does the work inside
// send(2), some microseconds for most requests. What it may keep waiting for milliseconds, deleting links, is in
// doomed-links.ts. The socket acts on the network namespace in which it was opened.
import { KernelError } from './kernel-error.ts';
import {
  decodeAttributes,
  decodeMessages,
  encodeMessage,
  messageLength,
  type NetlinkMessage,
  NLM_F,
  NLMSG,
  readI32,
  readString,
  writeMessage,
} from './netlink-message.ts';
import { NETLINK, openNetlinkSocket } from './netlink-socket.ts';

/** A request: `op` continues the sentence `Cannot …`; `flags` besides REQUEST and ACK; `payload` after the header. */
export type RtnlRequest = {
  readonly op: string;
  readonly type: number;
  readonly flags?: number;
  readonly payload: Uint8Array;
};

export type Rtnl = {
  /** Our address; the kernel puts it on the events that we caused. */
  readonly portId: number;
  /**
   * One request, and the messages of its answer.
   * @throws KernelError the kernel's refusal
   */
  readonly request: (request: RtnlRequest) => readonly NetlinkMessage[];
  /** Many requests, some hundred in one datagram; one failure hides no other. `undefined`: done. */
  readonly requestAll: (requests: readonly RtnlRequest[]) => readonly (KernelError | undefined)[];
  /**
   * Many requests in one datagram that another thread sends, each with its answer or what the kernel refused. No other
   * call may be made meanwhile.
   * @throws KernelError when nothing was sent, or answers are missing
   */
  readonly requestAllInThread: (
    requests: readonly RtnlRequest[],
  ) => Promise<readonly (readonly NetlinkMessage[] | KernelError)[]>;
  /**
   * A dump, each message through `decode`, whose `undefined` leaves the message out. A dump that the kernel calls
   * interrupted is read again.
   * @throws KernelError
   */
  readonly dump: <T>(request: RtnlRequest, decode: (message: NetlinkMessage) => T | undefined) => readonly T[];
  /** The ifindex of a link, without a request; `undefined`: there is none. @throws KernelError */
  readonly linkIndex: (name: string) => number | undefined;
  /** The MTU of a link in bytes, without a request; `undefined`: there is none. @throws KernelError */
  readonly linkMtu: (name: string) => number | undefined;
  readonly close: () => void;
};

const SIOCGIFMTU = 0x8921; // include/uapi/linux/sockios.h
const SIOCGIFINDEX = 0x8933;

const EINTR = 4;
const ETIMEDOUT = 110;
const BATCH_MESSAGES = 200;
const DUMP_TRIES = 8;
// Every pod has such a socket for a moment, and the garbage collector has to take its buffer away.
const DATAGRAM_BYTES = 64 * 1024;
const NLM_F_ACK_TLVS = 0x200; // on NLMSG_ERROR, where the bit of EXCL has another meaning
const NLMSGERR_ATTR_MSG = 1;

/** @throws KernelError */
export function openRtnl(): Rtnl {
  const socket = openNetlinkSocket(NETLINK.route, { datagramBytes: DATAGRAM_BYTES });
  let sequence = 0;

  const encode = ({ type, flags = 0, payload }: RtnlRequest, kind: number): Uint8Array => {
    sequence = (sequence + 1) >>> 0;
    return encodeMessage(type, flags | NLM_F.REQUEST | kind, sequence, payload);
  };

  const encodeAll = (requests: readonly RtnlRequest[], acks: 'last' | 'all' = 'last'): Uint8Array => {
    const bytes = new Uint8Array(requests.reduce((sum, { payload }) => sum + messageLength(payload), 0));
    let at = 0;
    for (const [index, { type, flags = 0, payload }] of requests.entries()) {
      const ack = acks === 'all' || index === requests.length - 1 ? NLM_F.ACK : 0;
      sequence = (sequence + 1) >>> 0;
      writeMessage(bytes, at, type, flags | NLM_F.REQUEST | ack, sequence, payload);
      at += messageLength(payload);
    }
    return bytes;
  };

  // Sequence numbers must ascend inside a batch to say which request an answer belongs to.
  const firstOf = (batch: readonly RtnlRequest[]): number => {
    if (sequence + batch.length > 0xffffffff) sequence = 0;
    return sequence + 1;
  };

  // Hands every message from `first` on to `take` until it says that the answer is complete. Older ones belong to a
  // request whose answer was given up.
  const receive = (op: string, first: number, take: (message: NetlinkMessage) => 'more' | 'done'): void => {
    for (;;) {
      const datagram = socket.receive('wait');
      if (datagram === undefined) throw new KernelError(op, ETIMEDOUT);
      let state: 'more' | 'done' = 'more';
      for (const message of decodeMessages(datagram)) {
        if (message.sequence >= first && message.sequence <= sequence) state = take(message);
      }
      if (state === 'done') return;
    }
  };

  const dumpOnce = <T>(request: RtnlRequest, decode: (message: NetlinkMessage) => T | undefined) => {
    socket.send(encode(request, NLM_F.DUMP));
    const items: T[] = [];
    let interrupted = false;
    let failure: KernelError | undefined;
    receive(request.op, sequence, (message) => {
      if ((message.flags & NLM_F.DUMP_INTR) !== 0) interrupted = true;
      if (message.type === NLMSG.DONE || message.type === NLMSG.ERROR) {
        failure = errorOf(request.op, message);
        return 'done';
      }
      const item = decode(message);
      if (item !== undefined) items.push(item);
      return 'more';
    });
    if (failure !== undefined) throw failure;
    return interrupted ? undefined : items;
  };

  return {
    portId: socket.portId,
    request: (request) => {
      socket.send(encode(request, NLM_F.ACK));
      const replies: NetlinkMessage[] = [];
      let failure: KernelError | undefined;
      receive(request.op, sequence, (message) => {
        if (message.type !== NLMSG.ERROR) {
          replies.push({ ...message, payload: new Uint8Array(message.payload) });
          return 'more';
        }
        failure = errorOf(request.op, message);
        return 'done';
      });
      if (failure !== undefined) throw failure;
      return replies;
    },
    requestAll: (requests) => {
      const results = new Array<KernelError | undefined>(requests.length);
      for (let at = 0; at < requests.length; at += BATCH_MESSAGES) {
        const batch = requests.slice(at, at + BATCH_MESSAGES);
        const first = firstOf(batch);
        // A refusal is always told; that all went well only of the last one, which is also the end of the answers.
        const last = batch.length - 1;
        socket.send(encodeAll(batch));
        receive(batch[0]?.op ?? '', first, (message) => {
          const index = message.sequence - first;
          if (message.type !== NLMSG.ERROR) return 'more';
          results[at + index] = errorOf(batch[index]?.op ?? '', message);
          return index === last ? 'done' : 'more';
        });
      }
      return results;
    },
    requestAllInThread: async (requests) => {
      const first = firstOf(requests);
      const answers: (NetlinkMessage[] | KernelError)[] = requests.map(() => []);
      await socket.sendInThread(encodeAll(requests, 'all'));
      receive(requests[0]?.op ?? '', first, (message) => {
        const index = message.sequence - first;
        if (message.type !== NLMSG.ERROR) {
          const answer = answers[index];
          if (Array.isArray(answer)) answer.push({ ...message, payload: new Uint8Array(message.payload) });
          return 'more';
        }
        const failure = errorOf(requests[index]?.op ?? '', message);
        if (failure !== undefined) answers[index] = failure;
        return index === requests.length - 1 ? 'done' : 'more';
      });
      return answers;
    },
    dump: (request, decode) => {
      for (let tries = 0; tries < DUMP_TRIES; tries++) {
        const items = dumpOnce(request, decode);
        if (items !== undefined) return items;
      }
      throw new KernelError(request.op, EINTR, `changed while it was read, ${DUMP_TRIES} times`);
    },
    linkIndex: (name) => socket.linkNumber(SIOCGIFINDEX, name),
    linkMtu: (name) => socket.linkNumber(SIOCGIFMTU, name),
    close: socket.close,
  };
}

// Both NLMSG_ERROR and NLMSG_DONE begin with the negative error number, 0 when all is well.
function errorOf(op: string, { flags, payload, type }: NetlinkMessage): KernelError | undefined {
  const error = payload.length >= 4 ? readI32(payload) : 0;
  if (error === 0) return undefined;
  const told = type === NLMSG.ERROR && (flags & NLM_F_ACK_TLVS) !== 0;
  const text = told ? decodeAttributes(payload.subarray(20)).get(NLMSGERR_ATTR_MSG) : undefined;
  return new KernelError(op, -error, text === undefined ? undefined : readString(text));
}
