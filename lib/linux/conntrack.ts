// The kernel's connection tracking table by ctnetlink: reading it piece by piece, deleting flows, changing their marks.
// Belongs to the network namespace in which it is opened.
import {
  decodeFlow,
  encodeFlowDelete,
  encodeFlowDump,
  encodeFlowMark,
  type Flow,
  type MarkFilter,
} from './conntrack-codec.ts';
import { KernelError } from './kernel-error.ts';
import { concatBytes, decodeMessages, NLMSG, readI32 } from './netlink-message.ts';
import { NETLINK, type NetlinkSocket, openNetlinkSocket } from './netlink-socket.ts';

export type Conntrack = {
  /** Begins to read; only flows of these marks when `filter` is there. Gives up a reading before it. @throws KernelError */
  readonly dump: (filter?: MarkFilter) => FlowDump;
  /** How many were still there to be deleted. @throws KernelError */
  readonly delete: (flows: readonly Flow[]) => number;
  /** Writes `value` into the bits of `mask`; how many flows were still there. @throws KernelError */
  readonly setMark: (flows: readonly Flow[], mark: MarkFilter) => number;
  readonly close: () => void;
};

/**
 * Some hundred flows at most, possibly none; `undefined` at the end. The kernel works only inside this call. The table
 * may change between calls: what stays in it all the time is seen. @throws KernelError
 */
export type FlowDump = () => readonly Flow[] | undefined;

const ENOENT = 2;
const ETIMEDOUT = 110;
const MESSAGES_PER_BATCH = 256;
const DATAGRAM_BYTES = 64 * 1024;

/** @throws KernelError */
export function openConntrack(): Conntrack {
  const changes = openNetlinkSocket(NETLINK.netfilter, { datagramBytes: DATAGRAM_BYTES });
  // Of its own, so that a dump that waits for its next piece does not mix with the answers to changes.
  const dumps = openNetlinkSocket(NETLINK.netfilter, { datagramBytes: DATAGRAM_BYTES });
  let current: FlowDump = () => undefined;
  let sequence = 0;
  const change = (op: string, flows: readonly Flow[], encode: (sequence: number, flow: Flow) => Uint8Array): number => {
    let done = 0;
    for (let at = 0; at < flows.length; at += MESSAGES_PER_BATCH) {
      const batch = flows.slice(at, at + MESSAGES_PER_BATCH).map((flow) => encode(++sequence >>> 0, flow));
      done += batch.length - sendBatch(changes, op, batch);
    }
    return done;
  };
  return {
    dump: (filter) => {
      // The kernel refuses a second dump on a socket before the first one is read to its end.
      while (current() !== undefined);
      current = beginDump(dumps, filter);
      return current;
    },
    delete: (flows) => change('delete tracked flows', flows, encodeFlowDelete),
    setMark: (flows, mark) => change('mark tracked flows', flows, (at, flow) => encodeFlowMark(at, flow, mark)),
    close: () => {
      changes.close();
      dumps.close();
    },
  };
}

/** How many of the flows were not there. The kernel has done all when send returns, and answers only failures. */
function sendBatch(socket: NetlinkSocket, op: string, batch: readonly Uint8Array[]): number {
  socket.send(concatBytes(batch));
  let absent = 0;
  let failure: KernelError | undefined;
  for (let datagram = socket.receive('poll'); datagram !== undefined; datagram = socket.receive('poll')) {
    for (const { type, payload } of decodeMessages(datagram)) {
      if (type !== NLMSG.ERROR) continue;
      const errno = -readI32(payload);
      if (errno === ENOENT) absent++;
      else if (errno !== 0) failure ??= new KernelError(op, errno);
    }
  }
  if (failure !== undefined) throw failure;
  return absent;
}

function beginDump(socket: NetlinkSocket, filter: MarkFilter | undefined): FlowDump {
  const op = 'read tracked flows';
  let open = true;
  socket.send(encodeFlowDump(1, filter));
  const read = (): readonly Flow[] => {
    const datagram = socket.receive('wait');
    if (datagram === undefined) throw new KernelError(op, ETIMEDOUT);
    const flows: Flow[] = [];
    for (const { type, payload } of decodeMessages(datagram)) {
      if (type === NLMSG.DONE) open = false;
      else if (type === NLMSG.ERROR) throw new KernelError(op, -readI32(payload));
      const flow = open ? decodeFlow(payload) : undefined;
      if (flow !== undefined) flows.push(flow);
    }
    return flows;
  };
  return () => {
    if (!open) return undefined;
    try {
      return read();
    } catch (error) {
      open = false;
      throw error;
    }
  };
}
