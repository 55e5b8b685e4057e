// Expressions back to statements, the inverse of encode/rule.ts: matches of a protocol that a field behind them presumes
// are part of that field. What fits no statement becomes `unknown`.
import type { CounterName, MatchValue, Operand, Scalar, SetName, Statement } from '../ast.ts';
import {
  heldAfter,
  ICMPX_ADMIN_PROHIBITED,
  LIMIT_UNITS,
  missingProtocols,
  provenBy,
  REJECT_ICMPX,
  REJECT_TCP_RESET,
} from '../encode/rule.ts';
import type { AnonymousSet, Expression, Load } from '../expressions.ts';
import { loadOperand, operandProtocols, operandType, type Protocols } from '../operands.ts';
import { MASQ_FLAG, NFPROTO } from '../uapi.ts';
import { decodeScalar, VALUE_TYPES, type ValueType } from '../value-types.ts';
import { decodeRun } from './keys.ts';
import { decodeVerdict } from './verdict.ts';

const REG_1 = 1;

type Decoded = { readonly statement: Statement; readonly before: Protocols };

/** Reads from `at` on; `next` is behind what was read. */
type Step = { readonly statement: Statement; readonly next: number };

export function decodeStatements(expressions: readonly Expression[]): readonly Statement[] {
  const decoded: Decoded[] = [];
  let known: Protocols = {};
  for (let at = 0; at < expressions.length; ) {
    const last = decoded.at(-1);
    const held = reused(expressions[at]) ? heldAfter(last?.statement) : undefined;
    const { statement, next } = step(expressions, at, { known, held });
    if (held === undefined || last === undefined) absorbProtocols(decoded, presumed(statement));
    else {
      // The protocols stand before the comparison that left its register.
      decoded.pop();
      absorbProtocols(decoded, missingProtocols(presumed(statement), provenBy(last.statement)));
      decoded.push(last);
    }
    decoded.push({ statement, before: known });
    known = { ...known, ...provenBy(statement), ...presumed(statement) };
    at = next;
  }
  return decoded.map(({ statement }) => statement);
}

/** The protocols a statement brings its own matches for. */
function presumed(statement: Statement): Protocols {
  switch (statement.kind) {
    case 'match':
      return operandProtocols(statement.left);
    case 'lookup':
    case 'vmap':
      return Object.assign({}, ...statement.key.map(operandProtocols)) as Protocols;
    case 'reject':
      return statement.with === 'tcp reset' ? { l4proto: 6 } : {};
    default:
      return NONE;
  }
}

const NONE: Protocols = {};

/** Drops the matches at the end of `decoded` that the encoder would make by itself for what needs these protocols. */
function absorbProtocols(decoded: Decoded[], needed: Protocols): void {
  if (needed.nfproto === undefined && needed.l4proto === undefined) return;
  for (let count = Math.min(2, decoded.length); count > 0; count--) {
    const tail = decoded.slice(-count);
    const { nfproto, l4proto } = missingProtocols(needed, tail[0]?.before ?? {});
    const made = [nfproto, l4proto].filter((value) => value !== undefined).length;
    if (made !== count) continue;
    const [first, last] = [tail[0], tail.at(-1)].map((entry) => (entry ? provenBy(entry.statement) : {}));
    const firstFits = nfproto === undefined || first?.nfproto === nfproto;
    const lastFits = l4proto === undefined || last?.l4proto === l4proto;
    if (firstFits && lastFits) {
      decoded.splice(-count);
      return;
    }
  }
}

/** Whether register 1 is used as it is. */
const reused = (e: Expression | undefined): boolean => e?.kind === 'lookup' || (isLoad(e) && e.dreg !== REG_1);

/** `held`: what the comparison before left in register 1, if that is used. */
type Before = { readonly known: Protocols; readonly held: Operand | undefined };

function step(expressions: readonly Expression[], at: number, { known, held }: Before): Step {
  const first = expressions[at];
  if (first === undefined) return unknown(expressions, at, at + 1);
  if (first.kind === 'lookup' && held !== undefined) {
    return lookupStep([held], first, at) ?? unknown(expressions, at, at + 1);
  }
  if (isLoad(first)) return loadStep(expressions, at, { known, held }) ?? unknown(expressions, at, at + 1);
  if (first.kind === 'data') return dataStep(expressions, at) ?? unknown(expressions, at, at + 1);
  const statement = simple(first);
  return statement === undefined ? unknown(expressions, at, at + 1) : { statement, next: at + 1 };
}

const isLoad = (e: Expression | undefined): e is Load =>
  e?.kind === 'meta' || e?.kind === 'ct' || e?.kind === 'payload' || e?.kind === 'fib';

function unknown(expressions: readonly Expression[], at: number, next: number): Step {
  return { statement: { kind: 'unknown', expression: expressions.slice(at, next).map(describe).join(' ') }, next };
}

function describe(e: Expression): string {
  if (e.kind === 'unknown') return e.name;
  const fields = Object.entries(e).filter(([key]) => key !== 'kind');
  return [e.kind, ...fields.map(([key, value]) => `${key}=${plain(value)}`)].join(' ');
}

const plain = (value: unknown): string =>
  value instanceof Uint8Array ? Buffer.from(value).toString('hex') : JSON.stringify(value);

/** One or more loads and what is done with the registers. */
function loadStep(expressions: readonly Expression[], at: number, { known, held }: Before): Step | undefined {
  const operands: Operand[] = held === undefined ? [] : [held];
  let next = at;
  let protocols = known;
  for (let e = expressions[next]; isLoad(e); e = expressions[++next]) {
    const operand = loadOperand(e, protocols);
    if (operand === undefined) return undefined;
    operands.push(operand);
    protocols = known;
  }
  const [left] = operands;
  const use = expressions[next];
  if (left === undefined || use === undefined) return undefined;
  if (use.kind === 'lookup') return lookupStep(operands, use, next);
  if (operands.length > 1) return undefined;
  if (use.kind === 'bitwise') return maskStep(expressions, left, use, next);
  const compared = compare(expressions, next, left);
  return compared && { statement: { kind: 'match', left, ...compared.match }, next: compared.next };
}

function lookupStep(key: readonly Operand[], e: Extract<Expression, { kind: 'lookup' }>, at: number): Step | undefined {
  const [left] = key;
  if (typeof e.set === 'string') {
    const set = e.set as SetName;
    if (e.map) return { statement: { kind: 'vmap', key, map: set }, next: at + 1 };
    return { statement: { kind: 'lookup', key, op: e.inverted ? 'not in' : 'in', set }, next: at + 1 };
  }
  if (left === undefined || key.length > 1 || e.map || operandType(left) !== e.set.type) return undefined;
  const right = { anyOf: anonymousValues(e.set) };
  return { statement: { kind: 'match', left, op: e.inverted ? '!=' : '==', right }, next: at + 1 };
}

const anonymousValues = (set: AnonymousSet): readonly Scalar[] =>
  set.elements.map(({ start, end }) =>
    set.interval ? decodeRun(set.type, start, end) : decodeScalar(set.type, start),
  );

/** A masked register: flags of a conntrack state, a part of the conntrack mark, or a new mark. */
function maskStep(
  expressions: readonly Expression[],
  left: Operand,
  e: Extract<Expression, { kind: 'bitwise' }>,
  at: number,
): Step | undefined {
  const use = expressions[at + 1];
  const mask = hostU32(e.mask);
  const xor = hostU32(e.xor);
  if (use === undefined || e.mask.length !== 4) return undefined;
  if (left.kind === 'ct-mark') {
    if (use.kind === 'ct-set' && use.key === 3 && (mask & xor) === 0) {
      return { statement: { kind: 'set-ct-mark', mask: ~mask >>> 0, value: xor }, next: at + 2 };
    }
    if (xor !== 0) return undefined;
    const masked: Operand = { kind: 'ct-mark', mask };
    if (use.kind === 'lookup') return lookupStep([masked], use, at + 1);
    const compared = compare(expressions, at + 1, masked);
    return compared && { statement: { kind: 'match', left: masked, ...compared.match }, next: compared.next };
  }
  if (left.kind !== 'ct' || xor !== 0 || use.kind !== 'cmp' || use.op !== '!=' || hostU32(use.data) !== 0)
    return undefined;
  const type = operandType(left);
  const words: Scalar[] = [];
  for (let bit = 1; bit <= 0x8000; bit *= 2)
    if ((mask & bit) !== 0) words.push(decodeScalar(type, e.mask.map(bitOnly(bit))));
  const [word] = words;
  if (word === undefined) return undefined;
  const right = words.length === 1 ? word : { anyOf: words };
  return { statement: { kind: 'match', left, op: '==', right }, next: at + 2 };
}

const bitOnly = (bit: number) => (_: number, index: number) => (bit >>> (8 * index)) & 0xff;

function compare(
  expressions: readonly Expression[],
  at: number,
  left: Operand,
): { readonly match: { readonly op: '==' | '!='; readonly right: MatchValue }; readonly next: number } | undefined {
  const e = expressions[at];
  const type = operandType(left);
  if (e?.kind === 'range') {
    return { match: { op: e.op, right: range(type, e.from, e.to) }, next: at + 1 };
  }
  if (e?.kind !== 'cmp') return undefined;
  if (e.op === '==' || e.op === '!=') {
    const right = comparedValue(type, e.data);
    return right === undefined ? undefined : { match: { op: e.op, right }, next: at + 1 };
  }
  const upper = expressions[at + 1];
  if (e.op !== '>=' || upper?.kind !== 'cmp' || upper.op !== '<=') return undefined;
  return { match: { op: '==', right: range(type, e.data, upper.data) }, next: at + 2 };
}

/** A name cut short is a prefix match; other types are compared whole. */
function comparedValue(type: ValueType, data: Uint8Array): Scalar | undefined {
  if (data.length === VALUE_TYPES[type].bytes) return decodeScalar(type, data);
  return type === 'ifname' ? `${Buffer.from(data).toString()}*` : undefined;
}

const range = (type: ValueType, from: Uint8Array, to: Uint8Array): Scalar =>
  ({ from: decodeScalar(type, from), to: decodeScalar(type, to) }) as Scalar;

/** Immediate values: of an address translation, or of a whole mark. */
function dataStep(expressions: readonly Expression[], at: number): Step | undefined {
  const values = new Map<number, Uint8Array>();
  let next = at;
  for (let e = expressions[next]; e?.kind === 'data'; e = expressions[++next]) values.set(e.dreg, e.data);
  const use = expressions[next];
  if (use?.kind === 'ct-set' && use.key === 3) {
    const value = values.get(use.sreg);
    return value && { statement: { kind: 'set-ct-mark', mask: 0xffffffff, value: hostU32(value) }, next: next + 1 };
  }
  if (use?.kind !== 'nat') return undefined;
  const address = values.get(use.addressRegister);
  const port = use.portRegister === undefined ? undefined : values.get(use.portRegister);
  const type = use.family === NFPROTO.ipv4 ? 'ipv4_addr' : 'ipv6_addr';
  if (address?.length !== VALUE_TYPES[type].bytes || (use.portRegister !== undefined && port === undefined))
    return undefined;
  const statement = {
    kind: use.type === 0 ? 'snat' : 'dnat',
    family: type === 'ipv4_addr' ? 4 : 6,
    address: decodeScalar(type, address),
    ...(port === undefined ? {} : { port: decodeScalar('inet_service', port) }),
  } as Extract<Statement, { kind: 'snat' | 'dnat' }>;
  return { statement, next: next + 1 };
}

function simple(e: Expression): Statement | undefined {
  switch (e.kind) {
    case 'verdict': {
      const verdict = decodeVerdict(e.code, e.chain);
      return verdict && { kind: 'verdict', verdict };
    }
    case 'counter':
    case 'notrack':
      return { kind: e.kind };
    case 'counter-ref':
      return { kind: 'counter-ref', counter: e.name as CounterName };
    case 'log':
      return e;
    case 'limit': {
      const per = (Object.keys(LIMIT_UNITS) as (keyof typeof LIMIT_UNITS)[]).find(
        (key) => LIMIT_UNITS[key] === e.unitSeconds,
      );
      return per && { kind: 'limit', rate: e.rate, per, burst: e.burst };
    }
    case 'reject':
      if (e.type === REJECT_TCP_RESET) return { kind: 'reject', with: 'tcp reset' };
      if (e.type !== REJECT_ICMPX || e.code !== ICMPX_ADMIN_PROHIBITED) return undefined;
      return { kind: 'reject', with: 'icmpx admin-prohibited' };
    case 'masq': {
      const flags = (Object.keys(MASQ_FLAG) as (keyof typeof MASQ_FLAG)[]).filter(
        (flag) => (e.flags & MASQ_FLAG[flag]) !== 0,
      );
      return { kind: 'masquerade', flags };
    }
    default:
      return undefined;
  }
}

const hostU32 = (bytes: Uint8Array): number =>
  bytes.length < 4 ? 0 : Buffer.from(bytes.buffer, bytes.byteOffset, 4).readUInt32LE();
