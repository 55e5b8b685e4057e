// The binding: one socket to nf_tables in the namespace where it was opened. All calls are synchronous. A commit is one
// send of one batch; the kernel has applied or refused it when the call returns.
import { KernelError } from '../linux/kernel-error.ts';
import { NETLINK, openNetlinkSocket } from '../linux/netlink-socket.ts';
import type { CounterName, Ruleset, Table, TableName } from './ast.ts';
import { createBatch } from './batch.ts';
import { type CounterValue, dumpCounters, dumpRuleset, dumpSet, readTable } from './dump.ts';
import { dumpParts } from './dump-parts.ts';
import { NftError } from './nft-error.ts';
import type { NftOp } from './ops.ts';
import { createRequests } from './requests.ts';
import type { Parts } from './touched.ts';

export type Nftables = {
  /** The netlink address of our changes. */
  readonly portId: number;
  /** All or nothing, in order. @throws NftError, KernelError; Error when an operation cannot be encoded */
  readonly commit: (ops: readonly NftOp[]) => void;
  /** The table's flags without its content, or `undefined` when there is none. @throws KernelError */
  readonly table: (table: TableName) => Table | undefined;
  /** The table as it is, or `undefined` when there is none. @throws KernelError */
  readonly dump: (table: TableName) => Ruleset | undefined;
  /** Of the table these chains and sets that are there, or `undefined` when there is no table. @throws KernelError */
  readonly dumpParts: (table: TableName, parts: Parts) => Ruleset | undefined;
  /** Named counters; empty when there is no such table. @throws KernelError */
  readonly counters: (table: TableName) => ReadonlyMap<CounterName, CounterValue>;
  /** Number of the ruleset's state in this namespace: each commit of anyone adds one. @throws KernelError */
  readonly generation: () => number;
  readonly close: () => void;
};

const ENOENT = 2;

/** @throws KernelError */
export function openNftables(): Nftables {
  const socket = openNetlinkSocket(NETLINK.netfilter);
  const requests = createRequests(socket);
  const batch = createBatch((table, set) => dumpSet(requests, table, set));
  return {
    portId: socket.portId,
    commit: (ops) => {
      if (ops.length === 0) return;
      try {
        const encoded = batch.encode(ops);
        const refusal = requests.sendBatch(encoded.bytes, encoded.lastSequence);
        if (refusal !== undefined) throw new NftError(refusal.errno, encoded.opOf(refusal), refusal.detail);
      } catch (error) {
        batch.forget();
        throw error;
      }
    },
    table: (table) => absentAs(undefined, () => readTable(requests, table)),
    dump: (table) => absentAs(undefined, () => dumpRuleset(requests, table)),
    dumpParts: (table, parts) => absentAs(undefined, () => dumpParts(requests, table, parts)),
    counters: (table) =>
      absentAs<ReadonlyMap<CounterName, CounterValue>>(new Map(), () => dumpCounters(requests, table)),
    generation: requests.generation,
    close: socket.close,
  };
}

function absentAs<T>(absent: T, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (error instanceof KernelError && error.errno === ENOENT) return absent;
    throw error;
  }
}
