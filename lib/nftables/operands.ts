// What an operand loads into a register: its value type, the expression, and the protocols that must have been matched
// before the bytes mean that field (in an inet table nft(8) adds those matches itself).
import type { Operand } from './ast.ts';
import type { Load } from './expressions.ts';
import { NFPROTO } from './uapi.ts';
import type { ValueType } from './value-types.ts';

export type PayloadField = Extract<Operand, { kind: 'payload' }>['field'];
export type MetaKey = Extract<Operand, { kind: 'meta' }>['key'];
export type CtKey = Extract<Operand, { kind: 'ct' }>['key'];

/** Protocols known from earlier statements of a rule. */
export type Protocols = { readonly nfproto?: number; readonly l4proto?: number };

type Field = {
  readonly type: ValueType;
  /** enum nft_payload_bases: 1 network header, 2 transport header. */
  readonly base: 1 | 2;
  readonly offset: number;
  readonly length: number;
} & Protocols;

const PORT = { type: 'inet_service', base: 2, length: 2 } as const;
const SPORT = { ...PORT, offset: 0 } as const;
const DPORT = { ...PORT, offset: 2 } as const;
const ICMP = { base: 2, offset: 0, length: 1 } as const;

/** Fields with protocols come before those that need none: the decoder takes the first that fits. */
export const PAYLOAD_FIELDS = {
  'ip saddr': { type: 'ipv4_addr', base: 1, offset: 12, length: 4, nfproto: NFPROTO.ipv4 },
  'ip daddr': { type: 'ipv4_addr', base: 1, offset: 16, length: 4, nfproto: NFPROTO.ipv4 },
  'ip6 saddr': { type: 'ipv6_addr', base: 1, offset: 8, length: 16, nfproto: NFPROTO.ipv6 },
  'ip6 daddr': { type: 'ipv6_addr', base: 1, offset: 24, length: 16, nfproto: NFPROTO.ipv6 },
  'tcp sport': { ...SPORT, l4proto: 6 },
  'tcp dport': { ...DPORT, l4proto: 6 },
  'udp sport': { ...SPORT, l4proto: 17 },
  'udp dport': { ...DPORT, l4proto: 17 },
  'sctp sport': { ...SPORT, l4proto: 132 },
  'sctp dport': { ...DPORT, l4proto: 132 },
  'icmp type': { ...ICMP, type: 'icmp_type', nfproto: NFPROTO.ipv4, l4proto: 1 },
  'icmpv6 type': { ...ICMP, type: 'icmpv6_type', nfproto: NFPROTO.ipv6, l4proto: 58 },
  'th sport': SPORT,
  'th dport': DPORT,
} as const satisfies Record<PayloadField, Field>;

/** enum nft_meta_keys. */
export const META_KEYS = {
  mark: { key: 3, type: 'mark' },
  iifname: { key: 6, type: 'ifname' },
  oifname: { key: 7, type: 'ifname' },
  nfproto: { key: 15, type: 'nf_proto' },
  l4proto: { key: 16, type: 'inet_proto' },
} as const satisfies Record<MetaKey, { readonly key: number; readonly type: ValueType }>;

/** enum nft_ct_keys. */
export const CT_KEYS = {
  state: { key: 0, type: 'ct_state' },
  direction: { key: 1, type: 'ct_dir' },
  status: { key: 2, type: 'ct_status' },
} as const satisfies Record<CtKey, { readonly key: number; readonly type: ValueType }>;
export const CT_MARK_KEY = 3;
const CT_SADDR_KEYS = { 4: 19, 6: 21 } as const;
const CT_DIRECTIONS = { original: 0, reply: 1 } as const;

/** enum nft_fib_result and nft_fib_flags. `present` asks only whether there is a route. */
export const FIB_RESULTS = { oif: 1, type: 3 } as const;
export const FIB_FLAGS = { saddr: 1, daddr: 2, iif: 8 } as const;
export const FIB_PRESENT = 32;

export function operandType(operand: Operand): ValueType {
  switch (operand.kind) {
    case 'meta':
      return META_KEYS[operand.key].type;
    case 'payload':
      return PAYLOAD_FIELDS[operand.field].type;
    case 'ct':
      return CT_KEYS[operand.key].type;
    case 'ct-saddr':
      return operand.family === 4 ? 'ipv4_addr' : 'ipv6_addr';
    case 'ct-mark':
      return 'mark';
    case 'fib':
      return operand.result === 'oif' ? 'boolean' : 'fib_addrtype';
    default:
      return operand satisfies never;
  }
}

/** The protocols that the operand presumes. */
export function operandProtocols(operand: Operand): Protocols {
  if (operand.kind !== 'payload') return {};
  const field: Field = PAYLOAD_FIELDS[operand.field];
  return {
    ...(field.nfproto === undefined ? {} : { nfproto: field.nfproto }),
    ...(field.l4proto === undefined ? {} : { l4proto: field.l4proto }),
  };
}

/** The expression that loads the operand into register `dreg`. The mask of a `ct-mark` is not part of it. */
export function operandLoad(operand: Operand, dreg: number): Load {
  switch (operand.kind) {
    case 'meta':
      return { kind: 'meta', key: META_KEYS[operand.key].key, dreg };
    case 'payload': {
      const { base, offset, length } = PAYLOAD_FIELDS[operand.field];
      return { kind: 'payload', base, offset, length, dreg };
    }
    case 'ct':
      return { kind: 'ct', key: CT_KEYS[operand.key].key, dreg };
    case 'ct-saddr':
      return { kind: 'ct', key: CT_SADDR_KEYS[operand.family], direction: CT_DIRECTIONS[operand.direction], dreg };
    case 'ct-mark':
      return { kind: 'ct', key: CT_MARK_KEY, dreg };
    case 'fib': {
      let flags = operand.result === 'oif' ? FIB_PRESENT : 0;
      for (const flag of operand.flags) flags |= FIB_FLAGS[flag];
      return { kind: 'fib', result: FIB_RESULTS[operand.result], flags, dreg };
    }
    default:
      return operand satisfies never;
  }
}

/** The operand of a load after `known` protocols, or `undefined` when the vocabulary has none. */
export function loadOperand(load: Load, known: Protocols): Operand | undefined {
  switch (load.kind) {
    case 'meta': {
      const key = keyOf(META_KEYS, (meta) => meta.key === load.key);
      return key && { kind: 'meta', key };
    }
    case 'payload': {
      const field = keyOf<PayloadField, Field>(
        PAYLOAD_FIELDS,
        (f) =>
          f.base === load.base &&
          f.offset === load.offset &&
          f.length === load.length &&
          (f.nfproto === undefined || f.nfproto === known.nfproto) &&
          (f.l4proto === undefined || f.l4proto === known.l4proto),
      );
      return field && { kind: 'payload', field };
    }
    case 'ct': {
      if (load.direction !== undefined) return ctSaddr(load.key, load.direction);
      if (load.key === CT_MARK_KEY) return { kind: 'ct-mark', mask: 0xffffffff };
      const key = keyOf(CT_KEYS, (ct) => ct.key === load.key);
      return key && { kind: 'ct', key };
    }
    case 'fib': {
      const present = (load.flags & FIB_PRESENT) !== 0;
      const result = keyOf(FIB_RESULTS, (number) => number === load.result);
      if (result === undefined || present !== (result === 'oif')) return undefined;
      const flags = (['saddr', 'daddr', 'iif'] as const).filter((flag) => (load.flags & FIB_FLAGS[flag]) !== 0);
      const rest = flags.reduce((left, flag) => left & ~FIB_FLAGS[flag], load.flags & ~FIB_PRESENT);
      return rest === 0 ? { kind: 'fib', result, flags } : undefined;
    }
    default:
      return load satisfies never;
  }
}

function ctSaddr(key: number, number: number): Operand | undefined {
  const direction = keyOf(CT_DIRECTIONS, (one) => one === number);
  const family = ([4, 6] as const).find((one) => CT_SADDR_KEYS[one] === key);
  return direction && family && { kind: 'ct-saddr', direction, family };
}

function keyOf<K extends string, V>(table: Readonly<Record<K, V>>, fits: (value: V) => boolean): K | undefined {
  for (const key of Object.keys(table) as K[]) if (fits(table[key])) return key;
  return undefined;
}
