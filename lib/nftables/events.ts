// Notices when somebody else touches our table. The kernel announces each commit as its changes followed by one message
// that names its author; our own changes are passed over. Nothing is read while the loop is busy: a
// burst becomes one call, and lost messages count as a change.
import { RawNetlinkSocket } from 'netlink';
import { NETLINK } from '../linux/netlink-socket.ts';
import type { TableName } from './ast.ts';
import { readAttributes, readText, readU32 } from './attributes.ts';
import { messages } from './requests.ts';
import { NFNL_SUBSYS_NFTABLES, NFNLGRP_NFTABLES, NFT_MSG, NFTA_GEN } from './uapi.ts';

/** `foreign`: another process changed the table; `overrun`: messages were lost, so that it may have. */
export type NftEvent = { readonly kind: 'foreign' | 'overrun' };

/** The table's name is the first attribute of every message that is about a table's content. */
const NFTA_ANY_TABLE = 1;
const RECEIVE_BYTES = 4 << 20;
const MESSAGE_BYTES = 64 << 10;
const NFGENMSG_BYTES = 4;

/**
 * Watches in the network namespace of the call until `signal` aborts; returns after the subscription stands.
 * @throws Error when the socket cannot be opened
 */
export function watchNftables(options: {
  readonly table: TableName;
  readonly onChange: (event: NftEvent) => void;
  /** `portId` of the `Nftables` whose changes are our own. Without it those of this process are: that compares process
   * ids, which the kernel gives as the initial pid namespace has them. */
  readonly portId?: number;
  readonly signal: AbortSignal;
}): void {
  const { table, onChange, signal } = options;
  if (signal.aborted) return;
  let pending: NftEvent['kind'] | undefined;
  const report = (kind: NftEvent['kind']): void => {
    if (pending === undefined) {
      setImmediate(() => {
        const event = pending;
        pending = undefined;
        if (event !== undefined && !signal.aborted) onChange({ kind: event });
      });
    }
    pending = pending === 'foreign' ? pending : kind;
  };
  const reader = createCommitReader(table, ({ portId, pid }) =>
    options.portId === undefined ? pid === process.pid : portId === options.portId,
  );
  let socket: RawNetlinkSocket | undefined;
  const subscribe = (): void => {
    const opened = new RawNetlinkSocket(NETLINK.netfilter, {
      messagePeeking: false,
      msgBufferSize: MESSAGE_BYTES,
      recvBufferSize: RECEIVE_BYTES,
      sendBufferSize: MESSAGE_BYTES,
    });
    opened.on('message', (datagram) => {
      if (reader(datagram) === 'foreign') report('foreign');
    });
    opened.on('truncatedMessage', () => report('overrun'));
    // The poller takes an overrun for a broken socket and closes it after this call, during which nobody else may.
    opened.on('error', () => {
      setImmediate(() => {
        if (signal.aborted || socket !== opened) return;
        close(opened);
        subscribe();
        report('overrun');
      });
    });
    opened.addMembership(NFNLGRP_NFTABLES);
    socket = opened;
  };
  subscribe();
  signal.addEventListener(
    'abort',
    () => {
      if (socket !== undefined) close(socket);
    },
    { once: true },
  );
}

function close(socket: RawNetlinkSocket): void {
  try {
    socket.close();
  } catch {
    // It was closed by the poller.
  }
}

/** Who made a commit: the address of the socket, and the process in the initial pid namespace. */
type Author = { readonly portId: number; readonly pid: number };

/** Reads datagrams in order; says whether a commit ended in this one that touched `table` and was not ours. */
export function createCommitReader(
  table: TableName,
  isOwn: (author: Author) => boolean,
): (datagram: Uint8Array) => 'foreign' | 'nothing' {
  let touched = false;
  return (datagram) => {
    let outcome: 'foreign' | 'nothing' = 'nothing';
    for (const { type, portId, body } of messages(datagram)) {
      if (type >> 8 !== NFNL_SUBSYS_NFTABLES) continue;
      const attributes = readAttributes(body, NFGENMSG_BYTES);
      if ((type & 0xff) === NFT_MSG.newGen) {
        if (touched && !isOwn({ portId, pid: readU32(attributes, NFTA_GEN.procPid) })) outcome = 'foreign';
        touched = false;
      } else if (readText(attributes, NFTA_ANY_TABLE) === table) touched = true;
    }
    return outcome;
  };
}
