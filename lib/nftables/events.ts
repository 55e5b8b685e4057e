// Notices when somebody else touches our table. The kernel announces each commit as its changes followed by one message
// that ends it; our own are passed over by the address of the socket that made them. The queue is read by a timer and
// not by the loop's poller: a poller takes the loss of messages (ENOBUFS) for a broken descriptor, while here it is news.
import { KernelError } from '../linux/kernel-error.ts';
import { NETLINK, type NetlinkSocket, openNetlinkSocket } from '../linux/netlink-socket.ts';
import type { TableName } from './ast.ts';
import { type Author, type CommitReader, createCommitReader } from './commit-reader.ts';
import { ALL_TOUCHED, mergeTouched, type Touched } from './touched.ts';
import { NFNLGRP_NFTABLES } from './uapi.ts';

/** `foreign`: somebody else changed the table; `overrun`: messages were lost, so that somebody may have. */
export type NftEvent = { readonly kind: 'foreign' | 'overrun'; readonly touched: Touched };

const ENOBUFS = 105;
/** Holds what a batch of some hundred thousand elements announces. */
const RECEIVE_BYTES = 64 << 20;
/** Reading goes on in the next turn after so many datagrams. */
const DATAGRAMS_PER_TURN = 200;

/**
 * Watches in the network namespace of the call until `signal` aborts; the subscription stands when it returns. Changes
 * close together are one call. The timer does not keep the process alive.
 * @throws KernelError when the socket cannot be opened
 */
export function watchNftables(options: {
  readonly table: TableName;
  readonly onChange: (event: NftEvent) => void;
  readonly signal: AbortSignal;
  /**
   * `portId` of the `Nftables` whose changes are our own. Without it those of this process are; its process id is
   * compared, which works in the initial pid namespace only.
   */
  readonly portId?: number;
  /** How late an event may be. */
  readonly everyMs?: number;
  readonly receiveBytes?: number;
}): void {
  const { table, onChange, signal, portId, everyMs = 25, receiveBytes = RECEIVE_BYTES } = options;
  if (signal.aborted) return;
  const socket = openNetlinkSocket(NETLINK.netfilter, { receiveBytes });
  socket.join(NFNLGRP_NFTABLES);
  const isOwn = (author: Author): boolean =>
    portId === undefined ? author.pid === process.pid : author.portId === portId;
  const reader = createCommitReader(table, isOwn);

  let timer: NodeJS.Timeout;
  const turn = (): void => {
    const { event, more } = readTurn(socket, reader);
    timer = setTimeout(turn, more ? 0 : everyMs).unref();
    if (event !== undefined) onChange(event);
  };
  timer = setTimeout(turn, everyMs).unref();
  signal.addEventListener(
    'abort',
    () => {
      clearTimeout(timer);
      socket.close();
    },
    { once: true },
  );
}

function readTurn(
  socket: NetlinkSocket,
  reader: CommitReader,
): { readonly event: NftEvent | undefined; readonly more: boolean } {
  let event: NftEvent | undefined;
  for (let count = 0; count < DATAGRAMS_PER_TURN; count++) {
    try {
      const datagram = socket.receive('poll');
      if (datagram === undefined) return { event, more: false };
      const touched = reader(datagram);
      if (touched !== undefined) {
        event = { kind: 'foreign', touched: event === undefined ? touched : mergeTouched(event.touched, touched) };
      }
    } catch (error) {
      if (!(error instanceof KernelError && error.errno === ENOBUFS)) throw error;
      event = { kind: event?.kind ?? 'overrun', touched: ALL_TOUCHED };
    }
  }
  return { event, more: true };
}
