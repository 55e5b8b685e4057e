// Netlink attributes to expressions. What is not in the vocabulary becomes `unknown` with its kernel name, never nothing.
import { type Attributes, readAttributes, readText, readU32, walkAttributes } from '../attributes.ts';
import type { AnonymousSet, Expression } from '../expressions.ts';
import {
  CMP_OPS,
  NFT_OBJECT_COUNTER,
  NFTA_BITWISE,
  NFTA_BYTEORDER,
  NFTA_CMP,
  NFTA_CT,
  NFTA_DATA,
  NFTA_EXPR,
  NFTA_FIB,
  NFTA_IMMEDIATE,
  NFTA_LIMIT,
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

/** The anonymous set of that name, or `undefined` when the name is that of a named set. */
export type ResolveSet = (name: string) => AnonymousSet | undefined;

export function readExpressions(list: Uint8Array, resolve: ResolveSet): readonly Expression[] {
  const expressions: Expression[] = [];
  for (const { value } of walkAttributes(list)) {
    const attributes = readAttributes(value);
    const name = readText(attributes, NFTA_EXPR.name);
    const data = readAttributes(attributes.get(NFTA_EXPR.data) ?? Buffer.alloc(0));
    if (name === 'byteorder' && isNoOp(data)) continue;
    expressions.push(read(name, data, resolve) ?? { kind: 'unknown', name });
  }
  return expressions;
}

/** nft(8) converts protocols (one byte) to network order in interval concatenations. */
const isNoOp = (data: Attributes): boolean =>
  readU32(data, NFTA_BYTEORDER.len) < 2 && readU32(data, NFTA_BYTEORDER.sreg) === readU32(data, NFTA_BYTEORDER.dreg);

function read(name: string, data: Attributes, resolve: ResolveSet): Expression | undefined {
  switch (name) {
    case 'meta':
      return data.has(NFTA_META.sreg)
        ? undefined
        : { kind: 'meta', key: readU32(data, NFTA_META.key), dreg: readU32(data, NFTA_META.dreg) };
    case 'ct':
      if (data.has(NFTA_CT.sreg)) {
        if (data.has(NFTA_CT.direction)) return undefined;
        return { kind: 'ct-set', key: readU32(data, NFTA_CT.key), sreg: readU32(data, NFTA_CT.sreg) };
      }
      return {
        kind: 'ct',
        key: readU32(data, NFTA_CT.key),
        ...(data.has(NFTA_CT.direction) && { direction: data.get(NFTA_CT.direction)?.[0] ?? 0 }),
        dreg: readU32(data, NFTA_CT.dreg),
      };
    case 'payload':
      if (!data.has(NFTA_PAYLOAD.dreg)) return undefined;
      return {
        kind: 'payload',
        base: readU32(data, NFTA_PAYLOAD.base),
        offset: readU32(data, NFTA_PAYLOAD.offset),
        length: readU32(data, NFTA_PAYLOAD.len),
        dreg: readU32(data, NFTA_PAYLOAD.dreg),
      };
    case 'fib':
      return {
        kind: 'fib',
        result: readU32(data, NFTA_FIB.result),
        flags: readU32(data, NFTA_FIB.flags),
        dreg: readU32(data, NFTA_FIB.dreg),
      };
    case 'cmp': {
      const op = CMP_OPS[readU32(data, NFTA_CMP.op)];
      if (op === undefined) return undefined;
      return { kind: 'cmp', sreg: readU32(data, NFTA_CMP.sreg), op, data: readValue(data, NFTA_CMP.data) };
    }
    case 'range':
      return {
        kind: 'range',
        sreg: readU32(data, NFTA_RANGE.sreg),
        op: readU32(data, NFTA_RANGE.op) === 0 ? '==' : '!=',
        from: readValue(data, NFTA_RANGE.from),
        to: readValue(data, NFTA_RANGE.to),
      };
    case 'bitwise':
      if (readU32(data, NFTA_BITWISE.op) !== 0) return undefined;
      return {
        kind: 'bitwise',
        sreg: readU32(data, NFTA_BITWISE.sreg),
        dreg: readU32(data, NFTA_BITWISE.dreg),
        mask: readValue(data, NFTA_BITWISE.mask),
        xor: readValue(data, NFTA_BITWISE.xor),
      };
    case 'lookup': {
      const set = readText(data, NFTA_LOOKUP.set);
      const map = data.has(NFTA_LOOKUP.dreg);
      if (map && readU32(data, NFTA_LOOKUP.dreg) !== 0) return undefined;
      const inverted = (readU32(data, NFTA_LOOKUP.flags) & 1) !== 0;
      return { kind: 'lookup', sreg: readU32(data, NFTA_LOOKUP.sreg), set: resolve(set) ?? set, inverted, map };
    }
    default:
      return readStatement(name, data);
  }
}

function readStatement(name: string, data: Attributes): Expression | undefined {
  switch (name) {
    case 'immediate': {
      const dreg = readU32(data, NFTA_IMMEDIATE.dreg);
      if (dreg !== 0) return { kind: 'data', dreg, data: readValue(data, NFTA_IMMEDIATE.data) };
      return { kind: 'verdict', ...readVerdictCode(data.get(NFTA_IMMEDIATE.data) ?? Buffer.alloc(0)) };
    }
    case 'counter':
    case 'notrack':
      return { kind: name };
    case 'objref':
      if (readU32(data, NFTA_OBJREF.immType) !== NFT_OBJECT_COUNTER) return undefined;
      return { kind: 'counter-ref', name: readText(data, NFTA_OBJREF.immName) };
    case 'log': {
      const group = data.get(NFTA_LOG.group)?.readUInt16BE();
      return { kind: 'log', prefix: readText(data, NFTA_LOG.prefix), ...(group === undefined ? {} : { group }) };
    }
    case 'limit': {
      if (readU32(data, NFTA_LIMIT.type) !== 0 || readU32(data, NFTA_LIMIT.flags) !== 0) return undefined;
      const rate = Number(data.get(NFTA_LIMIT.rate)?.readBigUInt64BE() ?? 0n);
      const unitSeconds = Number(data.get(NFTA_LIMIT.unit)?.readBigUInt64BE() ?? 0n);
      return { kind: 'limit', rate, unitSeconds, burst: readU32(data, NFTA_LIMIT.burst) };
    }
    case 'reject':
      return {
        kind: 'reject',
        type: readU32(data, NFTA_REJECT.type),
        code: data.get(NFTA_REJECT.code)?.readUInt8() ?? 0,
      };
    case 'masq':
      return data.has(NFTA_MASQ.flags + 1) ? undefined : { kind: 'masq', flags: readU32(data, NFTA_MASQ.flags) };
    case 'nat': {
      const port = data.has(NFTA_NAT.protoMin) ? { portRegister: readU32(data, NFTA_NAT.protoMin) } : {};
      // Flags beside "address given" and "port given" (NF_NAT_RANGE_*) have no words in the vocabulary.
      if ((readU32(data, NFTA_NAT.flags) & ~3) !== 0 || !data.has(NFTA_NAT.addrMin)) return undefined;
      return {
        kind: 'nat',
        type: readU32(data, NFTA_NAT.type),
        family: readU32(data, NFTA_NAT.family),
        addressRegister: readU32(data, NFTA_NAT.addrMin),
        ...port,
      };
    }
    default:
      return undefined;
  }
}

/** The bytes of a value attribute (struct nft_data); empty when there are none. */
export function readValue(attributes: Attributes, type: number): Uint8Array {
  const nested = attributes.get(type);
  if (nested === undefined) return new Uint8Array();
  return readAttributes(nested).get(NFTA_DATA.value) ?? new Uint8Array();
}

export function readVerdictCode(data: Uint8Array): { readonly code: number; readonly chain?: string } {
  const verdict = readAttributes(readAttributes(data).get(NFTA_DATA.verdict) ?? Buffer.alloc(0));
  const code = readU32(verdict, NFTA_VERDICT.code) | 0;
  const chain = readText(verdict, NFTA_VERDICT.chain);
  return chain === '' ? { code } : { code, chain };
}
