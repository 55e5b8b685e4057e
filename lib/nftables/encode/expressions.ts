// Expressions to netlink attributes (the list NFTA_RULE_EXPRESSIONS).
import type { AttributeWriter } from '../attributes.ts';
import type { AnonymousSet, Expression } from '../expressions.ts';
import {
  CMP_OPS,
  NF_NAT_RANGE_PROTO_SPECIFIED,
  NFT_OBJECT_COUNTER,
  NFTA_BITWISE,
  NFTA_CMP,
  NFTA_COUNTER,
  NFTA_CT,
  NFTA_DATA,
  NFTA_EXPR,
  NFTA_FIB,
  NFTA_IMMEDIATE,
  NFTA_LIMIT,
  NFTA_LIST_ELEM,
  NFTA_LOG,
  NFTA_LOOKUP,
  NFTA_MASQ,
  NFTA_META,
  NFTA_NAT,
  NFTA_OBJREF,
  NFTA_PAYLOAD,
  NFTA_RANGE,
  NFTA_REJECT,
  NFTA_VERDICT,
} from '../uapi.ts';

/** What an anonymous set is called in the batch that makes it; the kernel puts a number for `%d`. */
export const ANONYMOUS_NAME = '__set%d';

/** Number that names an anonymous set inside the batch (NFTA_SET_ID). */
export type SetIdOf = (set: AnonymousSet) => number;

/** @throws Error on `unknown` */
export function writeExpression(out: AttributeWriter, expression: Expression, setIdOf: SetIdOf): void {
  const element = out.open(NFTA_LIST_ELEM);
  out.text(NFTA_EXPR.name, kernelName(expression));
  const data = out.open(NFTA_EXPR.data);
  writeData(out, expression, setIdOf);
  out.close(data);
  out.close(element);
}

const KERNEL_NAMES: Readonly<Partial<Record<Expression['kind'], string>>> = {
  data: 'immediate',
  verdict: 'immediate',
  'ct-set': 'ct',
  'counter-ref': 'objref',
};

const kernelName = (expression: Expression): string => KERNEL_NAMES[expression.kind] ?? expression.kind;

function writeData(out: AttributeWriter, e: Expression, setIdOf: SetIdOf): void {
  switch (e.kind) {
    case 'meta':
      out.u32(NFTA_META.key, e.key);
      out.u32(NFTA_META.dreg, e.dreg);
      return;
    case 'ct':
      out.u32(NFTA_CT.key, e.key);
      if (e.direction !== undefined) out.u8(NFTA_CT.direction, e.direction);
      out.u32(NFTA_CT.dreg, e.dreg);
      return;
    case 'ct-set':
      out.u32(NFTA_CT.key, e.key);
      out.u32(NFTA_CT.sreg, e.sreg);
      return;
    case 'payload':
      out.u32(NFTA_PAYLOAD.dreg, e.dreg);
      out.u32(NFTA_PAYLOAD.base, e.base);
      out.u32(NFTA_PAYLOAD.offset, e.offset);
      out.u32(NFTA_PAYLOAD.len, e.length);
      return;
    case 'fib':
      out.u32(NFTA_FIB.flags, e.flags);
      out.u32(NFTA_FIB.result, e.result);
      out.u32(NFTA_FIB.dreg, e.dreg);
      return;
    case 'cmp':
      out.u32(NFTA_CMP.sreg, e.sreg);
      out.u32(NFTA_CMP.op, CMP_OPS.indexOf(e.op));
      writeValue(out, NFTA_CMP.data, e.data);
      return;
    case 'range':
      out.u32(NFTA_RANGE.sreg, e.sreg);
      out.u32(NFTA_RANGE.op, e.op === '==' ? 0 : 1);
      writeValue(out, NFTA_RANGE.from, e.from);
      writeValue(out, NFTA_RANGE.to, e.to);
      return;
    case 'bitwise':
      out.u32(NFTA_BITWISE.sreg, e.sreg);
      out.u32(NFTA_BITWISE.dreg, e.dreg);
      out.u32(NFTA_BITWISE.len, e.mask.length);
      writeValue(out, NFTA_BITWISE.mask, e.mask);
      writeValue(out, NFTA_BITWISE.xor, e.xor);
      return;
    case 'lookup':
      out.u32(NFTA_LOOKUP.sreg, e.sreg);
      if (e.map) out.u32(NFTA_LOOKUP.dreg, 0);
      out.text(NFTA_LOOKUP.set, typeof e.set === 'string' ? e.set : ANONYMOUS_NAME);
      if (typeof e.set !== 'string') out.u32(NFTA_LOOKUP.setId, setIdOf(e.set));
      if (e.inverted) out.u32(NFTA_LOOKUP.flags, 1);
      return;
    case 'data':
      out.u32(NFTA_IMMEDIATE.dreg, e.dreg);
      writeValue(out, NFTA_IMMEDIATE.data, e.data);
      return;
    case 'verdict':
      out.u32(NFTA_IMMEDIATE.dreg, 0);
      writeVerdict(out, NFTA_IMMEDIATE.data, e);
      return;
    default:
      writeStatementData(out, e);
  }
}

type MatchExpression = 'meta' | 'ct' | 'ct-set' | 'payload' | 'fib' | 'cmp' | 'range' | 'bitwise' | 'lookup';
type StatementExpression = Exclude<Expression, { kind: MatchExpression | 'data' | 'verdict' }>;

function writeStatementData(out: AttributeWriter, e: StatementExpression): void {
  switch (e.kind) {
    case 'counter':
      out.u64(NFTA_COUNTER.bytes, 0n);
      out.u64(NFTA_COUNTER.packets, 0n);
      return;
    case 'counter-ref':
      out.u32(NFTA_OBJREF.immType, NFT_OBJECT_COUNTER);
      out.text(NFTA_OBJREF.immName, e.name);
      return;
    case 'log':
      if (e.group !== undefined) out.u16(NFTA_LOG.group, e.group);
      out.text(NFTA_LOG.prefix, e.prefix);
      return;
    case 'limit':
      out.u64(NFTA_LIMIT.rate, BigInt(e.rate));
      out.u64(NFTA_LIMIT.unit, BigInt(e.unitSeconds));
      out.u32(NFTA_LIMIT.burst, e.burst);
      out.u32(NFTA_LIMIT.type, 0);
      out.u32(NFTA_LIMIT.flags, 0);
      return;
    case 'reject':
      out.u32(NFTA_REJECT.type, e.type);
      out.u8(NFTA_REJECT.code, e.code);
      return;
    case 'notrack':
      return;
    case 'masq':
      if (e.flags !== 0) out.u32(NFTA_MASQ.flags, e.flags);
      return;
    case 'nat':
      out.u32(NFTA_NAT.type, e.type);
      out.u32(NFTA_NAT.family, e.family);
      out.u32(NFTA_NAT.addrMin, e.addressRegister);
      if (e.portRegister !== undefined) {
        out.u32(NFTA_NAT.protoMin, e.portRegister);
        out.u32(NFTA_NAT.flags, NF_NAT_RANGE_PROTO_SPECIFIED);
      }
      return;
    case 'unknown':
      throw new Error(`Cannot encode expression "${e.name}": is from a dump, expected a known expression`);
    default:
      e satisfies never;
  }
}

export function writeValue(out: AttributeWriter, type: number, value: Uint8Array): void {
  const at = out.open(type);
  out.bytes(NFTA_DATA.value, value);
  out.close(at);
}

export function writeVerdict(
  out: AttributeWriter,
  type: number,
  verdict: { readonly code: number; readonly chain?: string },
): void {
  const data = out.open(type);
  const at = out.open(NFTA_DATA.verdict);
  out.u32(NFTA_VERDICT.code, verdict.code);
  if (verdict.chain !== undefined) out.text(NFTA_VERDICT.chain, verdict.chain);
  out.close(at);
  out.close(data);
}
