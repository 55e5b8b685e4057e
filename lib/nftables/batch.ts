// Encodes operations as one batch and remembers what the sets are: how an element is laid out depends on its set, which
// may be older than this process; such a set is looked up once.
import type { Element, NftSet, TableName } from './ast.ts';
import { createAttributeWriter } from './attributes.ts';
import { type BatchWriter, writeOp } from './encode/messages.ts';
import type { NftOp } from './ops.ts';
import type { Refusal } from './requests.ts';
import { NFNL_MSG_BATCH_BEGIN, NFNL_MSG_BATCH_END, NFNL_SUBSYS_NFTABLES, NLM_F } from './uapi.ts';

export type Batch = {
  /** `bytes` are valid until the next call. @throws Error when an operation cannot be encoded */
  readonly encode: (ops: readonly NftOp[]) => EncodedBatch;
  /** Must follow an `encode` that failed or whose batch was not applied: what it said of sets may not be so. */
  readonly forget: () => void;
};

export type EncodedBatch = {
  readonly bytes: Uint8Array;
  /** Of the last operation's last message, which asks for an acknowledgement. */
  readonly lastSequence: number;
  /** The operation that a refusal is about; of element lists only the refused element. */
  readonly opOf: (refusal: Refusal) => NftOp | undefined;
};

const FIRST_SEQUENCE = 1;

export function createBatch(lookUpSet: (table: TableName, set: string) => NftSet): Batch {
  const out = createAttributeWriter();
  const sets = new Map<string, NftSet>();

  const encode = (ops: readonly NftOp[]): EncodedBatch => {
    out.reset();
    let sequence = FIRST_SEQUENCE;
    let setId = 0;
    let last = 0;
    let current: NftOp | undefined;
    const owners: { readonly op: NftOp; readonly elements?: readonly Element[]; readonly at: number }[] = [];
    // One for all operations: a batch may have a hundred thousand of them.
    const writer: BatchWriter = {
      out,
      nextSequence: (elements) => {
        last = out.length();
        if (current !== undefined) {
          owners.push(elements === undefined ? { op: current, at: last } : { op: current, elements, at: last });
        }
        return sequence++;
      },
      nextSetId: () => ++setId,
      setOf,
    };
    control(NFNL_MSG_BATCH_BEGIN, 0);
    for (const op of ops) {
      remember(sets, op);
      current = op;
      writeOp(writer, op);
    }
    const lastSequence = sequence - 1;
    control(NFNL_MSG_BATCH_END, sequence);
    const bytes = out.view();
    if (owners.length > 0) bytes[last + 6] = (bytes[last + 6] ?? 0) | NLM_F.ack;
    return {
      bytes,
      lastSequence,
      opOf: (refusal) => {
        const owner = owners[refusal.sequence - FIRST_SEQUENCE];
        if (owner?.elements === undefined || refusal.offset === undefined) return owner?.op;
        const element = refusedElement(bytes.subarray(owner.at), refusal.offset, owner.elements, interval(owner.op));
        return element === undefined ? owner.op : ({ ...owner.op, elements: [element] } as NftOp);
      },
    };
  };

  const control = (type: number, sequence: number): void => {
    out.closeMessage(out.openMessage(type, NLM_F.request, sequence, NFNL_SUBSYS_NFTABLES));
  };
  const setOf = (table: string, set: string): NftSet => {
    const key = setKey(table, set);
    const known = sets.get(key) ?? lookUpSet(table as TableName, set);
    sets.set(key, known);
    return known;
  };
  const interval = (op: NftOp): boolean => {
    if (op.kind !== 'add-elements' && op.kind !== 'delete-elements') return false;
    const set = setOf(op.table, op.set);
    return set.interval && set.keyTypes.length === 1;
  };

  return { encode, forget: () => sets.clear() };
}

const setKey = (table: string, set: string): string => `${table}/${set}`;

function remember(sets: Map<string, NftSet>, op: NftOp): void {
  if (op.kind === 'add-set') sets.set(setKey(op.table, op.set.name), op.set);
  else if (op.kind === 'delete-set') sets.delete(setKey(op.table, op.set.name));
  else if (op.kind === 'delete-table') {
    for (const key of sets.keys()) if (key.startsWith(`${op.table.name}/`)) sets.delete(key);
  }
}

/** The element whose attribute begins at `offset` of the message, or holds it. */
function refusedElement(
  message: Uint8Array,
  offset: number,
  elements: readonly Element[],
  boundaries: boolean,
): Element | undefined {
  const view = Buffer.from(message.buffer, message.byteOffset, message.byteLength);
  let index = -1;
  let at = 20;
  const list = 3;
  while (at + 4 <= offset && (view.readUInt16LE(at + 2) & 0x3fff) !== list) at += (view.readUInt16LE(at) + 3) & ~3;
  for (at += 4; at <= offset; at += (view.readUInt16LE(at) + 3) & ~3) {
    // The end of an interval is an element of its own behind its start.
    const first = view.readUInt16LE(at + 6) & 0x3fff;
    if (!boundaries || first !== 3) index++;
  }
  return elements[index];
}
