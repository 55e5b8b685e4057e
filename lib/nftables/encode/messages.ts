// Operations to netlink messages of one batch. Element lists are cut so that their attribute stays under 64 KiB.
import type { Element, Hook, NftSet, Rule } from '../ast.ts';
import type { AttributeWriter } from '../attributes.ts';
import type { CounterValue } from '../dump.ts';
import type { AnonymousSet } from '../expressions.ts';
import type { NftOp } from '../ops.ts';
import {
  ELEM_FLAG,
  HOOKS,
  NFNL_SUBSYS_NFTABLES,
  NFT_DATA_VERDICT,
  NFT_MSG,
  NFT_OBJECT_COUNTER,
  NFTA_CHAIN,
  NFTA_COUNTER,
  NFTA_ELEM,
  NFTA_ELEM_LIST,
  NFTA_HOOK,
  NFTA_LIST_ELEM,
  NFTA_OBJ,
  NFTA_RULE,
  NFTA_SET,
  NFTA_SET_DESC,
  NFTA_TABLE,
  NLM_F,
  SET_FLAG,
  TABLE_FLAG,
  UDATA,
  UDATA_BYTEORDER,
  UDATA_ELEM_INTERVAL_OPEN,
  VERDICT_CODE,
} from '../uapi.ts';
import { quotable, VALUE_TYPES, type ValueType } from '../value-types.ts';
import { ANONYMOUS_NAME, writeExpression, writeValue, writeVerdict } from './expressions.ts';
import { type ElementKey, elementKey, keyBytes } from './keys.ts';
import { ruleExpressions, verdictExpression } from './rule.ts';

export type BatchWriter = {
  readonly out: AttributeWriter;
  /** Sequence number of the next message; the receiver of errors maps it back. */
  readonly nextSequence: (elements?: readonly Element[]) => number;
  /** The definition of a set: its types decide how elements are laid out. @throws Error when there is none */
  readonly setOf: (table: string, set: string) => NftSet;
  readonly nextSetId: () => number;
};

/** nft(8) reads longer comments no more (NFTNL_UDATA_COMMENT_MAXLEN). */
export const COMMENT_MAX_BYTES = 128;
const ELEMENTS_MAX_BYTES = 60_000;
const CONCAT_TYPE_BITS = 6;

/** @throws Error on values that do not fit their types */
export function writeOp(batch: BatchWriter, op: NftOp): void {
  const { out } = batch;
  switch (op.kind) {
    case 'add-table':
    case 'delete-table':
      message(batch, op.kind === 'add-table' ? NFT_MSG.newTable : NFT_MSG.delTable, () => {
        out.text(NFTA_TABLE.name, op.table.name);
        const flags = op.table.flags.reduce((bits, flag) => bits | TABLE_FLAG[flag], 0);
        if (op.kind === 'add-table') out.u32(NFTA_TABLE.flags, flags);
      });
      return;
    case 'add-counter':
    case 'delete-counter':
      message(batch, op.kind === 'add-counter' ? NFT_MSG.newObj : NFT_MSG.delObj, () => {
        out.text(NFTA_OBJ.table, op.table);
        out.text(NFTA_OBJ.name, op.counter.name);
        out.u32(NFTA_OBJ.type, NFT_OBJECT_COUNTER);
        if (op.kind === 'add-counter') writeCounter(out, op.initial);
      });
      return;
    case 'add-set':
      message(batch, NFT_MSG.newSet, () => writeSet(batch, op.table, op.set));
      return;
    case 'delete-set':
      message(batch, NFT_MSG.delSet, () => {
        out.text(NFTA_SET.table, op.table);
        out.text(NFTA_SET.name, op.set.name);
      });
      return;
    case 'add-chain':
    case 'delete-chain':
      message(batch, op.kind === 'add-chain' ? NFT_MSG.newChain : NFT_MSG.delChain, () => {
        out.text(NFTA_CHAIN.table, op.table);
        out.text(NFTA_CHAIN.name, op.chain);
        if (op.kind === 'add-chain' && op.hook !== undefined) writeHook(out, op.hook);
      });
      return;
    case 'flush-chain':
      message(batch, NFT_MSG.delRule, () => {
        out.text(NFTA_RULE.table, op.table);
        out.text(NFTA_RULE.chain, op.chain);
      });
      return;
    case 'add-rule':
      writeRule(batch, op.table, op.chain, op.rule);
      return;
    case 'add-elements':
    case 'delete-elements':
      writeElements(batch, op);
      return;
    default:
      op satisfies never;
  }
}

function message(
  { out, nextSequence }: BatchWriter,
  type: number,
  fill: () => void,
  flags: number = NLM_F.create,
  elements?: readonly Element[],
): void {
  const at = out.openMessage((NFNL_SUBSYS_NFTABLES << 8) | type, NLM_F.request | flags, nextSequence(elements));
  fill();
  out.closeMessage(at);
}

function writeHook(out: AttributeWriter, hook: Hook): void {
  out.text(NFTA_CHAIN.type, hook.type);
  out.u32(NFTA_CHAIN.policy, VERDICT_CODE[hook.policy]);
  const at = out.open(NFTA_CHAIN.hook);
  out.u32(NFTA_HOOK.hooknum, HOOKS.indexOf(hook.hook));
  out.u32(NFTA_HOOK.priority, hook.priority);
  out.close(at);
}

function writeSet({ out, nextSetId }: BatchWriter, table: string, set: NftSet): void {
  const concat = set.keyTypes.length > 1;
  const interval = set.interval ? SET_FLAG.interval | (concat ? SET_FLAG.concat : 0) : 0;
  out.text(NFTA_SET.table, table);
  out.text(NFTA_SET.name, set.name);
  out.u32(NFTA_SET.flags, interval | (set.data === undefined ? 0 : SET_FLAG.map));
  out.u32(
    NFTA_SET.keyType,
    set.keyTypes.reduce((id, type) => id * 2 ** CONCAT_TYPE_BITS + VALUE_TYPES[type].magic, 0),
  );
  out.u32(NFTA_SET.keyLen, keyBytes(set.keyTypes));
  if (set.data !== undefined) {
    out.u32(NFTA_SET.dataType, NFT_DATA_VERDICT);
    out.u32(NFTA_SET.dataLen, 0);
  }
  out.u32(NFTA_SET.id, nextSetId());
  if (set.interval && concat) {
    const desc = out.open(NFTA_SET.desc);
    const fields = out.open(NFTA_SET_DESC.concat);
    for (const type of set.keyTypes) {
      const field = out.open(NFTA_LIST_ELEM);
      out.u32(1, VALUE_TYPES[type].bytes);
      out.close(field);
    }
    out.close(fields);
    out.close(desc);
  }
  const [type] = set.keyTypes;
  const order = concat || type === undefined ? UDATA_BYTEORDER.none : byteorder(type);
  const entries = [...udataU32(UDATA.setKeyByteorder, order)];
  if (set.data !== undefined) entries.push(...udataU32(UDATA.setDataByteorder, UDATA_BYTEORDER.none));
  out.bytes(NFTA_SET.userdata, Uint8Array.from(entries));
}

/** Without it `nft list` reads numbers of a set in the wrong byte order. */
function byteorder(type: ValueType): number {
  const { order } = VALUE_TYPES[type];
  return order === 'host' || order === 'text' ? UDATA_BYTEORDER.host : UDATA_BYTEORDER.big;
}

/** A userdata entry: type, length, value in host order. */
const udataU32 = (type: number, value: number): readonly number[] => [type, 4, value, 0, 0, 0];

function writeRule(batch: BatchWriter, table: string, chain: string, rule: Rule): void {
  const { out } = batch;
  const expressions = ruleExpressions(rule);
  const ids = new Map<AnonymousSet, number>();
  for (const expression of expressions) {
    if (expression.kind !== 'lookup' || typeof expression.set === 'string') continue;
    ids.set(expression.set, writeAnonymousSet(batch, table, expression.set));
  }
  const body = (): void => {
    out.text(NFTA_RULE.table, table);
    out.text(NFTA_RULE.chain, chain);
    const list = out.open(NFTA_RULE.expressions);
    for (const expression of expressions) writeExpression(out, expression, (set) => ids.get(set) ?? 0);
    out.close(list);
    if (rule.comment !== undefined) out.bytes(NFTA_RULE.userdata, commentUserdata(rule.comment));
  };
  message(batch, NFT_MSG.newRule, body, NLM_F.create | NLM_F.append);
}

/** @throws Error when nft(8) could not show the comment */
export function commentUserdata(comment: string): Uint8Array {
  const text = Buffer.from(`${quotable('comment', comment)}\0`);
  if (text.length - 1 > COMMENT_MAX_BYTES) {
    throw new Error(
      `Cannot use comment "${comment}": is ${text.length - 1} bytes, expected at most ${COMMENT_MAX_BYTES}`,
    );
  }
  const entry = new Uint8Array(2 + text.length);
  entry[0] = UDATA.ruleComment;
  entry[1] = text.length;
  entry.set(text, 2);
  return entry;
}

function writeAnonymousSet(batch: BatchWriter, table: string, set: AnonymousSet): number {
  const { out } = batch;
  const id = batch.nextSetId();
  message(batch, NFT_MSG.newSet, () => {
    out.text(NFTA_SET.table, table);
    out.text(NFTA_SET.name, ANONYMOUS_NAME);
    out.u32(NFTA_SET.flags, SET_FLAG.anonymous | SET_FLAG.constant | (set.interval ? SET_FLAG.interval : 0));
    out.u32(NFTA_SET.keyType, VALUE_TYPES[set.type].magic);
    out.u32(NFTA_SET.keyLen, VALUE_TYPES[set.type].bytes);
    out.u32(NFTA_SET.id, id);
    const desc = out.open(NFTA_SET.desc);
    out.u32(NFTA_SET_DESC.size, set.elements.length * (set.interval ? 2 : 1));
    out.close(desc);
    out.bytes(NFTA_SET.userdata, Uint8Array.from(udataU32(UDATA.setKeyByteorder, byteorder(set.type))));
  });
  message(batch, NFT_MSG.newSetElem, () => {
    out.text(NFTA_ELEM_LIST.table, table);
    out.text(NFTA_ELEM_LIST.set, ANONYMOUS_NAME);
    out.u32(NFTA_ELEM_LIST.setId, id);
    const list = out.open(NFTA_ELEM_LIST.elements);
    for (const element of set.elements) writeElement(out, element, set.interval);
    out.close(list);
  });
  return id;
}

function writeCounter(out: AttributeWriter, initial: CounterValue | undefined): void {
  const data = out.open(NFTA_OBJ.data);
  if (initial !== undefined) {
    out.bytes(NFTA_COUNTER.bytes, bigEndian(initial.bytes));
    out.bytes(NFTA_COUNTER.packets, bigEndian(initial.packets));
  }
  out.close(data);
}

function bigEndian(value: bigint): Uint8Array {
  const bytes = Buffer.alloc(8);
  bytes.writeBigUInt64BE(BigInt.asUintN(64, value));
  return bytes;
}

type ElementsOp = Extract<NftOp, { kind: 'add-elements' | 'delete-elements' }>;

function writeElements(batch: BatchWriter, op: ElementsOp): void {
  const { out } = batch;
  const set = batch.setOf(op.table, op.set);
  const type = op.kind === 'add-elements' ? NFT_MSG.newSetElem : NFT_MSG.delSetElem;
  for (let next = 0; next < op.elements.length; ) {
    const at = out.openMessage(
      (NFNL_SUBSYS_NFTABLES << 8) | type,
      NLM_F.request | NLM_F.create,
      batch.nextSequence(op.elements.slice(next)),
    );
    out.text(NFTA_ELEM_LIST.table, op.table);
    out.text(NFTA_ELEM_LIST.set, op.set);
    const list = out.open(NFTA_ELEM_LIST.elements);
    while (next < op.elements.length && out.length() - list < ELEMENTS_MAX_BYTES) {
      const element = op.elements[next++];
      if (element === undefined) continue;
      const key = elementKey(set, element.key);
      const verdict = op.kind === 'add-elements' && element.verdict ? verdictExpression(element.verdict) : undefined;
      writeElement(out, key, set.interval && set.keyTypes.length === 1, verdict);
    }
    out.close(list);
    out.closeMessage(at);
  }
}

function writeElement(
  out: AttributeWriter,
  key: ElementKey,
  boundaries: boolean,
  verdict?: { readonly code: number; readonly chain?: string },
): void {
  const at = out.open(NFTA_LIST_ELEM);
  writeValue(out, NFTA_ELEM.key, key.start);
  if (key.last !== undefined) writeValue(out, NFTA_ELEM.keyEnd, key.last);
  if (verdict !== undefined) writeVerdict(out, NFTA_ELEM.data, verdict);
  if (boundaries && key.end === undefined) {
    out.bytes(NFTA_ELEM.userdata, Uint8Array.from(udataU32(UDATA.elemFlags, UDATA_ELEM_INTERVAL_OPEN)));
  }
  out.close(at);
  if (!boundaries || key.end === undefined) return;
  const end = out.open(NFTA_LIST_ELEM);
  out.u32(NFTA_ELEM.flags, ELEM_FLAG.intervalEnd);
  writeValue(out, NFTA_ELEM.key, key.end);
  out.close(end);
}
