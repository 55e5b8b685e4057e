// Notices when somebody else touches our table. The kernel announces each commit as its changes followed by one message
// that names the process; the changes of our own process are passed over. Nothing is read while the loop is busy: a
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
  readonly signal: AbortSignal;
}): void {
  const { table, onChange, signal } = options;
  if (signal.aborted) return;
  const socket = new RawNetlinkSocket(NETLINK.netfilter, {
    messagePeeking: false,
    msgBufferSize: MESSAGE_BYTES,
    recvBufferSize: RECEIVE_BYTES,
    sendBufferSize: MESSAGE_BYTES,
  });
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
  const reader = createCommitReader(table, process.pid);
  socket.on('message', (datagram) => {
    if (reader(datagram) === 'foreign') report('foreign');
  });
  socket.on('truncatedMessage', () => report('overrun'));
  socket.on('error', () => report('overrun'));
  socket.addMembership(NFNLGRP_NFTABLES);
  signal.addEventListener('abort', () => socket.close(), { once: true });
}

/** Reads datagrams in order; says whether a commit ended in this one that touched `table` and was not ours. */
export function createCommitReader(table: TableName, ownPid: number): (datagram: Uint8Array) => 'foreign' | 'nothing' {
  let touched = false;
  return (datagram) => {
    let outcome: 'foreign' | 'nothing' = 'nothing';
    for (const { type, body } of messages(datagram)) {
      if (type >> 8 !== NFNL_SUBSYS_NFTABLES) continue;
      const attributes = readAttributes(body, NFGENMSG_BYTES);
      if ((type & 0xff) === NFT_MSG.newGen) {
        if (touched && readU32(attributes, NFTA_GEN.procPid) !== ownPid) outcome = 'foreign';
        touched = false;
      } else if (readText(attributes, NFTA_ANY_TABLE) === table) touched = true;
    }
    return outcome;
  };
}
