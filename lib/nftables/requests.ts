// Requests over the socket: a batch with its refusals, reads of single objects, dumps, and the generation number.
import { KernelError } from '../linux/kernel-error.ts';
import type { NetlinkSocket } from '../linux/netlink-socket.ts';
import { type Attributes, type AttributeWriter, createAttributeWriter, readAttributes, readU32 } from './attributes.ts';
import {
  HEADER_BYTES,
  NFNL_SUBSYS_NFTABLES,
  NFT_MSG,
  NFTA_GEN,
  NLM_F,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSGERR_ATTR,
} from './uapi.ts';

/** `offset` counts from the start of the refused message to the attribute that is at fault. */
export type Refusal = {
  readonly sequence: number;
  readonly errno: number;
  readonly offset?: number;
  readonly detail?: string;
};

export type Requests = {
  /** `undefined`: committed; else the first refusal. @throws KernelError when there is no answer */
  readonly sendBatch: (bytes: Uint8Array, lastSequence: number) => Refusal | undefined;
  /** One object. @throws KernelError such as ENOENT */
  readonly get: (type: number, fill: (out: AttributeWriter) => void) => Attributes;
  /** @throws KernelError `EINTR` when the objects changed meanwhile */
  readonly dump: (type: number, fill: (out: AttributeWriter) => void) => readonly Attributes[];
  readonly generation: () => number;
};

const ETIMEDOUT = 110;
const EINTR = 4;
const NLMSG_BYTES = 16;

export function createRequests(socket: NetlinkSocket): Requests {
  const out = createAttributeWriter(4096);
  let sequence = 0;

  const request = (type: number, flags: number, fill: (out: AttributeWriter) => void): void => {
    drain();
    out.reset();
    const at = out.openMessage((NFNL_SUBSYS_NFTABLES << 8) | type, NLM_F.request | flags, ++sequence);
    fill(out);
    out.closeMessage(at);
    socket.send(out.view());
  };

  /** Answers that an earlier, failed call left unread. */
  const drain = (): void => {
    while (socket.receive('poll') !== undefined);
  };

  const receive = (): Uint8Array => {
    const bytes = socket.receive('wait');
    if (bytes === undefined) throw new KernelError('receive from netlink', ETIMEDOUT);
    return bytes;
  };

  const get: Requests['get'] = (type, fill) => {
    request(type, 0, fill);
    for (const message of messages(receive())) {
      if (message.type === NLMSG_ERROR) throw new KernelError('read from nf_tables', readRefusal(message).errno);
      return readAttributes(Buffer.from(message.body.subarray(HEADER_BYTES - NLMSG_BYTES)));
    }
    throw new KernelError('read from nf_tables', ETIMEDOUT);
  };

  return {
    get,
    generation: () =>
      readU32(
        get(NFT_MSG.getGen, () => {}),
        NFTA_GEN.id,
      ),
    dump: (type, fill) => {
      request(type, NLM_F.dump, fill);
      const found: Attributes[] = [];
      let interrupted = false;
      for (;;) {
        for (const message of messages(receive())) {
          if ((message.flags & NLM_F.dumpIntr) !== 0) interrupted = true;
          if (message.type === NLMSG_ERROR) throw new KernelError('dump nf_tables', readRefusal(message).errno);
          if (message.type === NLMSG_DONE) {
            if (interrupted) throw new KernelError('dump nf_tables', EINTR);
            return found;
          }
          // The datagram is overwritten by the next one.
          found.push(readAttributes(Buffer.from(message.body.subarray(HEADER_BYTES - NLMSG_BYTES))));
        }
      }
    },
    sendBatch: (bytes, lastSequence) => {
      drain();
      socket.send(bytes);
      let refusal: Refusal | undefined;
      let acknowledged = false;
      for (;;) {
        const datagram = socket.receive('poll');
        if (datagram === undefined) break;
        for (const message of messages(datagram)) {
          if (message.type !== NLMSG_ERROR) continue;
          const answer = readRefusal(message);
          if (answer.errno !== 0) refusal ??= answer;
          else if (answer.sequence === lastSequence) acknowledged = true;
        }
        if (acknowledged && refusal === undefined) break;
      }
      if (refusal === undefined && !acknowledged)
        throw new KernelError('commit a batch of nftables changes', ETIMEDOUT);
      return refusal;
    },
  };
}

/** `portId` is the sender's address; in an event that of the socket which made the change. */
type Message = {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  readonly portId: number;
  readonly body: Buffer;
};

/** The messages of a datagram. */
export function messages(datagram: Uint8Array): readonly Message[] {
  const view = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.byteLength);
  const found: Message[] = [];
  // No generator: what each of its steps makes would be most of the garbage of an agent that attaches pods.
  for (let at = 0; at + NLMSG_BYTES <= view.length; ) {
    const length = view.readUInt32LE(at);
    if (length < NLMSG_BYTES || at + length > view.length) break;
    found.push({
      type: view.readUInt16LE(at + 4),
      flags: view.readUInt16LE(at + 6),
      sequence: view.readUInt32LE(at + 8),
      portId: view.readUInt32LE(at + 12),
      body: view.subarray(at + NLMSG_BYTES, at + length),
    });
    at += (length + 3) & ~3;
  }
  return found;
}

/** struct nlmsgerr: the negative error, the header of the request, then attributes (NLM_F_ACK_TLVS). */
function readRefusal({ flags, sequence, body }: Message): Refusal {
  const errno = -body.readInt32LE(0);
  if (errno === 0 || (flags & NLM_F.ackTlvs) === 0) return { sequence, errno };
  const attributes = readAttributes(body, 4 + NLMSG_BYTES);
  const offset = attributes.get(NLMSGERR_ATTR.offs)?.readUInt32LE();
  const detail = attributes.get(NLMSGERR_ATTR.msg)?.toString('utf8').replace(/\0.*$/s, '');
  return { sequence, errno, ...(offset === undefined ? {} : { offset }), ...(detail ? { detail } : {}) };
}
