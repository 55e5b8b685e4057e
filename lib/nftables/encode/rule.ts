// Statements to expressions, in the order and with the registers that nft(8) uses, so that `nft list` reads our rules
// back as the statements they were. In an inet table a field of a protocol needs a match of that protocol before it;
// it is added once, unless the rule has it already.
import type { MatchValue, Operand, Rule, Scalar, Statement, Verdict } from '../ast.ts';
import type { AnonymousSet, Expression } from '../expressions.ts';
import { META_KEYS, operandLoad, operandProtocols, operandType, type Protocols } from '../operands.ts';
import { MASQ_FLAG, NFPROTO, VERDICT_CODE } from '../uapi.ts';
import { encodeScalar, isRange, isWildcard, scalarNumber, VALUE_TYPES, type ValueType } from '../value-types.ts';
import { boundaries } from './keys.ts';

/** What nft(8) reads a limit without burst as, and does not print. */
export const DEFAULT_BURST = 5;
export const LIMIT_UNITS = { second: 1, minute: 60, hour: 3600 } as const;
export const ICMPX_ADMIN_PROHIBITED = 3;
export const REJECT_TCP_RESET = 1;
export const REJECT_ICMPX = 2;
const TCP = 6;
const REG_1 = 1;
const REG_2 = 2;
/** The word register that overlays the first bytes of register 1. */
export const REG32_00 = 8;

/** @throws Error on a value that is not of its operand's type, and on `unknown` statements */
export function ruleExpressions(rule: Rule): readonly Expression[] {
  const out: Expression[] = [];
  let before: Before = { known: {}, held: undefined };
  for (const [index, statement] of rule.statements.entries()) {
    const known = require(hoisted(statement, rule.statements[index + 1], before.known), before.known, out);
    before = { known: lower(statement, { ...before, known }, out), held: heldAfter(statement) };
  }
  return out;
}

/** Matches of protocols that a lookup needs come before the comparison whose register it uses again. */
function hoisted(statement: Statement, next: Statement | undefined, known: Protocols): Protocols {
  const held = heldAfter(statement);
  if (held === undefined || (next?.kind !== 'lookup' && next?.kind !== 'vmap') || !begins(next.key, held)) return {};
  const needed: Protocols = Object.assign({}, ...next.key.map(operandProtocols));
  return missingProtocols(needed, { ...known, ...provenBy(statement) });
}

const begins = ([first]: readonly Operand[], held: Meta): boolean => first?.kind === 'meta' && first.key === held.key;

/** `held`: what register 1 still holds. */
type Before = { readonly known: Protocols; readonly held: Meta | undefined };

type Meta = Extract<Operand, { kind: 'meta' }>;

/**
 * What a comparison leaves in register 1, so that a lookup right behind it need not load it again: the name of an
 * interface is what costs most to load.
 */
export const heldAfter = (statement: Statement | undefined): Meta | undefined =>
  statement?.kind === 'match' && statement.left.kind === 'meta' ? statement.left : undefined;

/** Appends the statement's expressions; returns the protocols known after it. */
function lower(statement: Statement, { known, held }: Before, out: Expression[]): Protocols {
  switch (statement.kind) {
    case 'match': {
      const after = load([statement.left], { known, held: undefined }, out);
      match(statement.left, statement.op, statement.right, out);
      return { ...after, ...provenBy(statement) };
    }
    case 'lookup': {
      const after = load(statement.key, { known, held }, out);
      out.push({ kind: 'lookup', sreg: REG_1, set: statement.set, inverted: statement.op === 'not in', map: false });
      return after;
    }
    case 'vmap': {
      const after = load(statement.key, { known, held }, out);
      out.push({ kind: 'lookup', sreg: REG_1, set: statement.map, inverted: false, map: true });
      return after;
    }
    case 'reject': {
      const reset = statement.with === 'tcp reset';
      const after = reset ? require({ l4proto: TCP }, known, out) : known;
      out.push({
        kind: 'reject',
        type: reset ? REJECT_TCP_RESET : REJECT_ICMPX,
        code: reset ? 0 : ICMPX_ADMIN_PROHIBITED,
      });
      return after;
    }
    case 'set-ct-mark':
      setCtMark(statement.mask, statement.value, out);
      return known;
    case 'snat':
    case 'dnat':
      nat(statement, out);
      return known;
    default:
      out.push(simple(statement));
      return known;
  }
}

type SimpleStatement = Exclude<
  Statement,
  { kind: 'match' | 'lookup' | 'vmap' | 'reject' | 'set-ct-mark' | 'snat' | 'dnat' }
>;

/** Statements that are one expression. */
function simple(statement: SimpleStatement): Expression {
  switch (statement.kind) {
    case 'verdict':
      return verdictExpression(statement.verdict);
    case 'counter':
    case 'notrack':
      return { kind: statement.kind };
    case 'counter-ref':
      return { kind: 'counter-ref', name: statement.counter };
    case 'log':
      return statement;
    case 'limit':
      return {
        kind: 'limit',
        rate: statement.rate,
        unitSeconds: LIMIT_UNITS[statement.per],
        burst: statement.burst,
      };
    case 'masquerade':
      return { kind: 'masq', flags: statement.flags.reduce((flags, flag) => flags | MASQ_FLAG[flag], 0) };
    case 'unknown':
      throw new Error(`Cannot encode statement "${statement.expression}": is from a dump, expected a known statement`);
    default:
      return statement satisfies never;
  }
}

export function verdictExpression(verdict: Verdict): { kind: 'verdict'; code: number; chain?: string } {
  const code = VERDICT_CODE[verdict.kind];
  return 'chain' in verdict ? { kind: 'verdict', code, chain: verdict.chain } : { kind: 'verdict', code };
}

/** Protocols that a field presumes and that are not known yet, in the order of their matches. */
export function missingProtocols(needed: Protocols, known: Protocols): Protocols {
  return {
    ...(needed.nfproto !== undefined && needed.nfproto !== known.nfproto ? { nfproto: needed.nfproto } : {}),
    ...(needed.l4proto !== undefined && needed.l4proto !== known.l4proto ? { l4proto: needed.l4proto } : {}),
  };
}

/** Which protocol a match fixes for the rest of the rule. */
export function provenBy(statement: Statement): Protocols {
  if (statement.kind !== 'match' || statement.op !== '==' || statement.left.kind !== 'meta') return {};
  const { key } = statement.left;
  const value = single(statement.right);
  if ((key !== 'nfproto' && key !== 'l4proto') || value === undefined) return {};
  return { [key]: scalarNumber(META_KEYS[key].type, value) };
}

function require(needed: Protocols, known: Protocols, out: Expression[]): Protocols {
  const missing = missingProtocols(needed, known);
  if (missing.nfproto === undefined && missing.l4proto === undefined) return known;
  for (const key of ['nfproto', 'l4proto'] as const) {
    const value = missing[key];
    if (value === undefined) continue;
    out.push({ kind: 'meta', key: META_KEYS[key].key, dreg: REG_1 });
    out.push({ kind: 'cmp', sreg: REG_1, op: '==', data: Uint8Array.of(value) });
  }
  return { ...known, ...missing };
}

/** Protocol matches first, then the fields side by side, each starting at a whole word. */
function load(operands: readonly Operand[], { known, held }: Before, out: Expression[]): Protocols {
  let after = known;
  for (const operand of operands) after = require(operandProtocols(operand), after, out);
  // A match of a protocol would have used the register.
  const isThere = held !== undefined && after === known && begins(operands, held);
  let word = 0;
  for (const [index, operand] of operands.entries()) {
    if (index > 0 || !isThere) out.push(operandLoad(operand, registerOfWord(word)));
    word += (VALUE_TYPES[operandType(operand)].bytes + 3) >> 2;
    if (operand.kind === 'ct-mark' && operand.mask >>> 0 !== 0xffffffff) {
      out.push(maskExpression(hostU32(operand.mask), new Uint8Array(4)));
    }
  }
  return after;
}

/** The kernel's own spelling: a register of 16 bytes where one begins, else a word. */
const registerOfWord = (word: number): number => (word % 4 === 0 ? 1 + word / 4 : REG32_00 + word);

function match(left: Operand, op: '==' | '!=', right: MatchValue, out: Expression[]): void {
  const type = operandType(left);
  const value = single(right);
  if (left.kind === 'ct' && left.key !== 'direction' && op === '==') {
    const values = value === undefined ? alternatives(right) : [value];
    const mask = values.reduce<number>((bits, scalar) => bits | scalarNumber(type, scalar), 0);
    out.push(maskExpression(hostU32(mask), new Uint8Array(4)));
    out.push({ kind: 'cmp', sreg: REG_1, op: '!=', data: new Uint8Array(4) });
  } else if (value === undefined) {
    const set = anonymousSet(type, alternatives(right));
    out.push({ kind: 'lookup', sreg: REG_1, set, inverted: op === '!=', map: false });
  } else if (isRange(value)) {
    range(type, op, value.from, value.to, out);
  } else {
    const data = isWildcard(type, value) ? Buffer.from(value.slice(0, -1)) : encodeScalar(type, value);
    if (data.length === 0) throw new Error('Cannot match interface name "*": matches all, expected a prefix before it');
    out.push({ kind: 'cmp', sreg: REG_1, op, data });
  }
}

function range(type: ValueType, op: '==' | '!=', low: Scalar, high: Scalar, out: Expression[]): void {
  if (VALUE_TYPES[type].order === 'host') throw new Error(`Cannot match a range of ${type}: expected single values`);
  const [from, to] = [encodeScalar(type, low), encodeScalar(type, high)];
  if (Buffer.compare(from, to) > 0) {
    throw new Error(`Cannot match range "${low}-${high}": is reversed, expected the lower value first`);
  }
  if (op === '!=') out.push({ kind: 'range', sreg: REG_1, op, from, to });
  else {
    out.push({ kind: 'cmp', sreg: REG_1, op: '>=', data: from });
    out.push({ kind: 'cmp', sreg: REG_1, op: '<=', data: to });
  }
}

/** The one value of a right side; a set of one is that value, a range of one too. */
function single(right: MatchValue): Scalar | undefined {
  if (typeof right !== 'object' || !('anyOf' in right)) return simplified(right);
  const values = alternatives(right);
  return values.length === 1 ? values[0] : undefined;
}

function alternatives(right: MatchValue): readonly Scalar[] {
  if (typeof right !== 'object' || !('anyOf' in right)) return [right];
  if (right.anyOf.length === 0) throw new Error('Cannot match an empty set: expected at least one value');
  return right.anyOf.map(simplified);
}

const simplified = (scalar: Scalar): Scalar => (isRange(scalar) && scalar.from === scalar.to ? scalar.from : scalar);

function anonymousSet(type: ValueType, values: readonly Scalar[]): AnonymousSet {
  const interval = values.some((value) => isRange(value) || isWildcard(type, value));
  if (interval && VALUE_TYPES[type].order === 'host' && VALUE_TYPES[type].bytes > 1) {
    throw new Error(`Cannot match a range of ${type}: expected single values`);
  }
  const elements = values.map((value) => (interval ? boundaries(type, value) : { start: encodeScalar(type, value) }));
  const compare = (a: Uint8Array, b: Uint8Array): number =>
    VALUE_TYPES[type].order === 'host' ? Buffer.compare(a.toReversed(), b.toReversed()) : Buffer.compare(a, b);
  const sorted = elements.sort((a, b) => compare(a.start, b.start));
  return {
    type,
    interval,
    elements: sorted.filter((e, i) => i === 0 || compare(e.start, sorted[i - 1]?.start ?? e.start) !== 0),
  };
}

function setCtMark(mask: number, value: number, out: Expression[]): void {
  if ((value & ~mask) !== 0) {
    throw new Error(`Cannot set ct mark to ${value}: has bits outside of mask ${mask}, expected none`);
  }
  if (mask >>> 0 === 0xffffffff) out.push({ kind: 'data', dreg: REG_1, data: hostU32(value) });
  else {
    out.push(operandLoad({ kind: 'ct-mark', mask }, REG_1));
    out.push(maskExpression(hostU32(~mask), hostU32(value)));
  }
  out.push({ kind: 'ct-set', key: 3, sreg: REG_1 });
}

function nat(statement: Extract<Statement, { kind: 'snat' | 'dnat' }>, out: Expression[]): void {
  const type = statement.family === 4 ? 'ipv4_addr' : 'ipv6_addr';
  out.push({ kind: 'data', dreg: REG_1, data: encodeScalar(type, statement.address) });
  if (statement.port !== undefined) {
    out.push({ kind: 'data', dreg: REG_2, data: encodeScalar('inet_service', statement.port) });
  }
  out.push({
    kind: 'nat',
    type: statement.kind === 'snat' ? 0 : 1,
    family: statement.family === 4 ? NFPROTO.ipv4 : NFPROTO.ipv6,
    addressRegister: REG_1,
    ...(statement.port === undefined ? {} : { portRegister: REG_2 }),
  });
}

const maskExpression = (mask: Uint8Array, xor: Uint8Array): Expression => ({
  kind: 'bitwise',
  sreg: REG_1,
  dreg: REG_1,
  mask,
  xor,
});

function hostU32(value: number): Uint8Array {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value >>> 0);
  return bytes;
}
