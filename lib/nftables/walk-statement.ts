// Evaluates one statement for one packet. What the packet does not have (a port of an ICMP packet, an IPv6 field of an
// IPv4 packet) ends the rule, whatever the comparison, as in the kernel.
import { type Ip, ipFamily } from '../ip.ts';
import type { L4Proto, MatchValue, NftKey, NftObject, Operand, Scalar, Statement, Verdict } from './ast.ts';
import { operandProtocols, operandType } from './operands.ts';
import { encodeScalar, isRange, isWildcard, scalarNumber } from './value-types.ts';
import { createSetIndex, type SetIndex } from './walk-sets.ts';

export type WalkPacket = {
  readonly iifname?: string;
  readonly oifname?: string;
  readonly saddr: Ip;
  readonly daddr: Ip;
  readonly protocol: L4Proto | number;
  readonly sport?: number;
  readonly dport?: number;
  readonly icmpType?: number;
  readonly ctState: 'new' | 'established' | 'related' | 'invalid' | 'untracked';
  readonly ctDirection: 'original' | 'reply';
  readonly ctMark: number;
  /** Absent: the flow's addresses were not translated. */
  readonly ctStatus?: 'dnat' | 'snat';
  /** Who sends in each direction of the flow. Absent: the packet belongs to none. */
  readonly ctSaddr?: { readonly original: Ip; readonly reply: Ip };
};

/** What statements may change on the way. */
export type PacketState = { readonly packet: WalkPacket; ctMark: number; ctState: WalkPacket['ctState'] };

export type Outcome =
  | { readonly kind: 'next' }
  | { readonly kind: 'no match' }
  | { readonly kind: 'reject' }
  | { readonly kind: 'verdict'; readonly verdict: Verdict };

const NEXT: Outcome = { kind: 'next' };
const NO_MATCH: Outcome = { kind: 'no match' };

/** A port of a protocol without ports: other bytes of the packet, equal to nothing. */
const NO_PORT = -1;
const PORT_PROTOCOLS: readonly number[] = [6, 17, 132];

export function createStatementWalker(
  objects: ReadonlyMap<NftKey, NftObject>,
  sets: SetIndex = createSetIndex(objects),
): (statement: Statement, state: PacketState) => Outcome {
  const matchers = new WeakMap<Statement, (value: Scalar) => boolean>();
  return (statement, state) => {
    switch (statement.kind) {
      case 'match': {
        const value = fieldValue(statement.left, state);
        if (value === undefined) return NO_MATCH;
        let matches = matchers.get(statement);
        if (matches === undefined) {
          matches = createMatcher(statement.left, statement.right);
          matchers.set(statement, matches);
        }
        return matches(value) === (statement.op === '==') ? NEXT : NO_MATCH;
      }
      case 'lookup':
      case 'vmap': {
        const key: Scalar[] = [];
        for (const operand of statement.key) {
          const value = fieldValue(operand, state);
          if (value === undefined) return NO_MATCH;
          key.push(value);
        }
        // A port that is none is in no set.
        const set = statement.kind === 'lookup' ? statement.set : statement.map;
        const element = key.includes(NO_PORT) ? undefined : sets.find(set, key);
        if (statement.kind === 'lookup') return (element !== undefined) === (statement.op === 'in') ? NEXT : NO_MATCH;
        return element?.verdict === undefined ? NO_MATCH : { kind: 'verdict', verdict: element.verdict };
      }
      case 'verdict':
        return { kind: 'verdict', verdict: statement.verdict };
      case 'reject':
        if (statement.with === 'tcp reset' && protocolNumber(state.packet) !== 6) return NO_MATCH;
        return { kind: 'reject' };
      case 'set-ct-mark':
        // A part of a mark is read before it is written, and there is none to read.
        if (!isTracked(state)) return statement.mask >>> 0 === 0xffffffff ? NEXT : NO_MATCH;
        state.ctMark = ((state.ctMark & ~statement.mask) | statement.value) >>> 0;
        return NEXT;
      case 'notrack':
        state.ctState = 'untracked';
        return NEXT;
      // One packet is always within a rate.
      case 'limit':
      case 'counter':
      case 'counter-ref':
      case 'log':
        return NEXT;
      case 'masquerade':
      case 'snat':
      case 'dnat':
      case 'unknown':
        throw new Error(`Cannot walk statement "${statement.kind}": is not evaluated, expected a filter statement`);
      default:
        return statement satisfies never;
    }
  };
}

/** Without an entry of conntrack only the state can be asked for (kernel nft_ct_get_eval). */
const isTracked = ({ ctState }: PacketState): boolean => ctState !== 'invalid' && ctState !== 'untracked';

const protocolNumber = (packet: WalkPacket): number => scalarNumber('inet_proto', packet.protocol);

/** `undefined`: the packet has no such field. */
function fieldValue(operand: Operand, state: PacketState): Scalar | undefined {
  const { packet } = state;
  switch (operand.kind) {
    case 'meta':
      if (operand.key === 'iifname' || operand.key === 'oifname') return packet[operand.key];
      if (operand.key === 'l4proto') return packet.protocol;
      if (operand.key === 'nfproto') return ipFamily(packet.saddr) === 4 ? 'ipv4' : 'ipv6';
      throw new Error('Cannot walk "meta mark": is not part of the packet, expected another field');
    case 'payload':
      return payloadValue(operand, packet);
    case 'ct':
      if (operand.key === 'state') return state.ctState;
      if (!isTracked(state)) return undefined;
      if (operand.key === 'direction') return packet.ctDirection;
      return packet.ctStatus ?? 0;
    case 'ct-saddr': {
      const saddr = packet.ctSaddr?.[operand.direction];
      return isTracked(state) && saddr !== undefined && ipFamily(saddr) === operand.family ? saddr : undefined;
    }
    case 'ct-mark':
      return isTracked(state) ? (state.ctMark & operand.mask) >>> 0 : undefined;
    case 'fib':
      throw new Error('Cannot walk "fib": routes are not part of the packet, expected another field');
    default:
      return operand satisfies never;
  }
}

function payloadValue(operand: Extract<Operand, { kind: 'payload' }>, packet: WalkPacket): Scalar | undefined {
  const needed = operandProtocols(operand);
  const nfproto = ipFamily(packet.saddr) === 4 ? 2 : 10;
  const protocol = protocolNumber(packet);
  if (needed.nfproto !== undefined && needed.nfproto !== nfproto) return undefined;
  if (needed.l4proto !== undefined && needed.l4proto !== protocol) return undefined;
  const field = operand.field.slice(operand.field.indexOf(' ') + 1);
  switch (field) {
    case 'saddr':
      return packet.saddr;
    case 'daddr':
      return packet.daddr;
    case 'type':
      return packet.icmpType;
    case 'sport':
    case 'dport':
      return PORT_PROTOCOLS.includes(protocol) ? packet[field] : NO_PORT;
    default:
      throw new Error(`Cannot walk field "${operand.field}": is not evaluated, expected another field`);
  }
}

/** Whether a value is one of those on the right side, which is laid out once. */
function createMatcher(left: Operand, right: MatchValue): (value: Scalar) => boolean {
  const type = operandType(left);
  const choices = typeof right === 'object' && 'anyOf' in right ? right.anyOf : [right];
  const singles = new Set<string>();
  const prefixes: string[] = [];
  const runs: { readonly first: Uint8Array; readonly last: Uint8Array }[] = [];
  for (const choice of choices) {
    if (isRange(choice)) runs.push({ first: encodeScalar(type, choice.from), last: encodeScalar(type, choice.to) });
    else if (isWildcard(type, choice)) prefixes.push(choice.slice(0, -1));
    else singles.add(textOf(encodeScalar(type, choice)));
  }
  const decide = (value: Scalar): boolean => {
    const bytes = encodeScalar(type, value);
    if (singles.has(textOf(bytes))) return true;
    if (prefixes.some((prefix) => String(value).startsWith(prefix))) return true;
    return runs.some(({ first, last }) => Buffer.compare(bytes, first) >= 0 && Buffer.compare(bytes, last) <= 0);
  };
  const decided = new Map<Scalar, boolean>();
  return (value) => {
    if (value === NO_PORT) return false;
    const known = decided.get(value);
    if (known !== undefined) return known;
    const outcome = decide(value);
    if (decided.size < REMEMBERED) decided.set(value, outcome);
    return outcome;
  };
}

/** Values that a match has seen before. */
const REMEMBERED = 1000;

const textOf = (bytes: Uint8Array): string => Buffer.from(bytes).toString('latin1');
