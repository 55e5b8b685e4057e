// The kernel's connection tracking table by ctnetlink: reading it piece by piece, deleting flows, changing their marks.
// Belongs to the network namespace in which it is opened. Reading looks into each of the hash table's buckets, of which
// there are hundreds of thousands however few flows there are, so the kernel does that in another thread.
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
  /** Begins to read; only flows of these marks when `filter` is there. A reading before it must be over or given up. */
  readonly dump: (filter?: MarkFilter) => FlowDump;
  /** How many were still there to be deleted. @throws KernelError */
  readonly delete: (flows: readonly Flow[]) => number;
  /** Writes `value` into the bits of `mask`; how many flows were still there. @throws KernelError */
  readonly setMark: (flows: readonly Flow[], mark: MarkFilter) => number;
  /** No reading may be under way. */
  readonly close: () => void;
};

/**
 * Some hundred flows at most, possibly none; `undefined` at the end. The table may change meanwhile: what stays in it
 * all the time is seen. @throws KernelError
 */
export type FlowDump = () => Promise<readonly Flow[] | undefined>;

const ENOENT = 2;
const ETIMEDOUT = 110;
const MESSAGES_PER_BATCH = 256;
const DATAGRAM_BYTES = 64 * 1024;

/** @throws KernelError */
export function openConntrack(): Conntrack {
  const changes = openNetlinkSocket(NETLINK.netfilter, { datagramBytes: DATAGRAM_BYTES });
  // Of its own, so that a dump that waits for its next piece does not mix with the answers to changes.
  const dumps = openNetlinkSocket(NETLINK.netfilter, { datagramBytes: DATAGRAM_BYTES });
  let current: FlowDump = async () => undefined;
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
      current = createDump(dumps, filter, current);
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

function createDump(socket: NetlinkSocket, filter: MarkFilter | undefined, before: FlowDump): FlowDump {
  const op = 'read tracked flows';
  let state: 'new' | 'open' | 'over' = 'new';
  const begin = async (): Promise<void> => {
    // The kernel refuses a second dump on a socket before the first one is read to its end.
    while ((await before()) !== undefined);
    await socket.sendInThread(encodeFlowDump(1, filter));
    state = 'open';
  };
  const read = async (): Promise<readonly Flow[]> => {
    const datagram = await socket.receiveInThread();
    if (datagram === undefined) throw new KernelError(op, ETIMEDOUT);
    const flows: Flow[] = [];
    for (const { type, payload } of decodeMessages(datagram)) {
      if (type === NLMSG.DONE) state = 'over';
      else if (type === NLMSG.ERROR) throw new KernelError(op, -readI32(payload));
      const flow = state === 'open' ? decodeFlow(payload) : undefined;
      if (flow !== undefined) flows.push(flow);
    }
    return flows;
  };
  return async () => {
    try {
      if (state === 'new') await begin();
      return state === 'over' ? undefined : await read();
    } catch (error) {
      state = 'over';
      throw error;
    }
  };
}
