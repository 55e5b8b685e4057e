// The data types of nf_tables keys: how a scalar of the AST is laid out in a register, and how nft(8) prints it.
// Sources: nftables `include/datatype.h` enum datatypes (the magic numbers that `nft list` reads set keys by), /etc/protocols,
// RFC 792, RFC 4443, RFC 4861, include/uapi/linux/netfilter/nf_conntrack_common.h, include/uapi/linux/rtnetlink.h RTN_*.
import { type Ip, ipFromBytes, ipToBytes } from '../ip.ts';
import type { KeyType, Scalar, ScalarRange } from './ast.ts';

export type ValueType =
  | KeyType
  | 'mark'
  | 'ct_state'
  | 'ct_dir'
  | 'ct_status'
  | 'nf_proto'
  | 'icmp_type'
  | 'icmpv6_type'
  | 'fib_addrtype'
  | 'boolean';

type Words = Readonly<Record<string, number>>;

type Layout = {
  /** nft's number of the type. */
  readonly magic: number;
  readonly bytes: number;
  readonly order: 'big' | 'host' | 'text' | 'address';
  readonly words?: Words;
  /** How nft prints a word that the AST spells differently. */
  readonly printed?: Readonly<Record<string, string>>;
};

const PROTOCOLS: Words = { icmp: 1, ipip: 4, tcp: 6, udp: 17, ipv6: 41, gre: 47, esp: 50, 'ipv6-icmp': 58, sctp: 132 };

export const VALUE_TYPES = {
  nf_proto: { magic: 2, bytes: 1, order: 'host', words: { ipv4: 2, ipv6: 10 } },
  ipv4_addr: { magic: 7, bytes: 4, order: 'address' },
  ipv6_addr: { magic: 8, bytes: 16, order: 'address' },
  inet_proto: { magic: 12, bytes: 1, order: 'host', words: PROTOCOLS, printed: { ipip: 'ipencap' } },
  inet_service: { magic: 13, bytes: 2, order: 'big' },
  icmp_type: {
    magic: 14,
    bytes: 1,
    order: 'big',
    words: {
      'echo-reply': 0,
      'destination-unreachable': 3,
      'source-quench': 4,
      redirect: 5,
      'echo-request': 8,
      'router-advertisement': 9,
      'router-solicitation': 10,
      'time-exceeded': 11,
      'parameter-problem': 12,
      'timestamp-request': 13,
      'timestamp-reply': 14,
      'info-request': 15,
      'info-reply': 16,
      'address-mask-request': 17,
      'address-mask-reply': 18,
    },
  },
  mark: { magic: 19, bytes: 4, order: 'host' },
  ct_state: {
    magic: 26,
    bytes: 4,
    order: 'host',
    words: { invalid: 1, established: 2, related: 4, new: 8, untracked: 64 },
  },
  ct_dir: { magic: 27, bytes: 1, order: 'host', words: { original: 0, reply: 1 } },
  ct_status: {
    magic: 28,
    bytes: 4,
    order: 'host',
    words: { expected: 1, 'seen-reply': 2, assured: 4, confirmed: 8, snat: 16, dnat: 32, dying: 512 },
  },
  icmpv6_type: {
    magic: 29,
    bytes: 1,
    order: 'big',
    words: {
      'destination-unreachable': 1,
      'packet-too-big': 2,
      'time-exceeded': 3,
      'parameter-problem': 4,
      'echo-request': 128,
      'echo-reply': 129,
      'mld-listener-query': 130,
      'mld-listener-report': 131,
      'mld-listener-done': 132,
      'nd-router-solicit': 133,
      'nd-router-advert': 134,
      'nd-neighbor-solicit': 135,
      'nd-neighbor-advert': 136,
      'nd-redirect': 137,
      'router-renumbering': 138,
      'ind-neighbor-solicit': 141,
      'ind-neighbor-advert': 142,
      'mld2-listener-report': 143,
    },
  },
  fib_addrtype: {
    magic: 38,
    bytes: 4,
    order: 'host',
    words: {
      unspec: 0,
      unicast: 1,
      local: 2,
      broadcast: 3,
      anycast: 4,
      multicast: 5,
      blackhole: 6,
      unreachable: 7,
      prohibit: 8,
    },
  },
  boolean: { magic: 39, bytes: 4, order: 'host', words: { missing: 0, exists: 1 } },
  ifname: { magic: 41, bytes: 16, order: 'text' },
} as const satisfies Record<ValueType, Layout>;

const layoutOf = (type: ValueType): Layout => VALUE_TYPES[type];

/**
 * The register bytes of one value that is no range and no wildcard.
 * @throws Error when the value is not of the type
 */
export function encodeScalar(type: ValueType, scalar: Scalar): Uint8Array {
  const layout = layoutOf(type);
  if (layout.order === 'address') {
    const bytes = typeof scalar === 'string' ? addressBytes(scalar) : new Uint8Array();
    if (bytes.length !== layout.bytes) throw misfit(type, scalar);
    return bytes;
  }
  const bytes = new Uint8Array(layout.bytes);
  if (layout.order === 'text') {
    if (typeof scalar !== 'string' || scalar === '' || Buffer.byteLength(scalar) >= bytes.length)
      throw misfit(type, scalar);
    Buffer.from(bytes.buffer).write(scalar);
    return bytes;
  }
  const value = scalarNumber(type, scalar);
  for (let i = 0; i < bytes.length; i++) {
    const shift = 8 * (layout.order === 'big' ? bytes.length - 1 - i : i);
    bytes[i] = Math.floor(value / 2 ** shift) & 0xff;
  }
  return bytes;
}

/** As `ipToBytes`, which is slow for the hundred thousand IPv4 addresses that a set may have. */
function addressBytes(text: string): Uint8Array {
  if (text.includes(':')) return ipToBytes(text as Ip);
  const bytes = new Uint8Array(4);
  let field = 0;
  for (let i = 0; i < text.length; i++) {
    const digit = text.charCodeAt(i) - ZERO;
    if (digit === DOT) field++;
    else if (digit < 0 || digit > 9) return new Uint8Array();
    else bytes[field] = (bytes[field] ?? 0) * 10 + digit;
  }
  return field === 3 ? bytes : new Uint8Array();
}

const ZERO = 48;
const DOT = -2;

/** The number behind a word or number. @throws Error when it is neither or does not fit */
export function scalarNumber(type: ValueType, scalar: Scalar): number {
  const layout = layoutOf(type);
  const value = typeof scalar === 'string' ? layout.words?.[scalar] : scalar;
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0 || value >= 2 ** (8 * layout.bytes)) {
    throw misfit(type, scalar);
  }
  return value;
}

/** A value in its one spelling: words where the AST has them, except for ICMP types, which are numbers. */
export function decodeScalar(type: ValueType, bytes: Uint8Array): Scalar {
  const layout = layoutOf(type);
  if (type === 'ipv4_addr') return `${bytes[0]}.${bytes[1]}.${bytes[2]}.${bytes[3]}` as Ip;
  if (layout.order === 'address') return ipFromBytes(bytes.subarray(0, layout.bytes));
  if (layout.order === 'text') {
    const end = bytes.indexOf(0);
    return Buffer.from(bytes.subarray(0, end < 0 ? bytes.length : end)).toString();
  }
  let value = 0;
  for (let i = 0; i < layout.bytes; i++) {
    value = value * 256 + (bytes[layout.order === 'big' ? i : layout.bytes - 1 - i] ?? 0);
  }
  if (type === 'icmp_type' || type === 'icmpv6_type') return value;
  return wordOf(layout, value) ?? value;
}

/** The value as nft(8) lists it; ranges in sets that are whole prefixes as CIDR. @throws Error as `encodeScalar` */
export function printScalar(type: ValueType, scalar: Scalar): string {
  if (isRange(scalar)) return `${printScalar(type, scalar.from)}-${printScalar(type, scalar.to)}`;
  const layout = layoutOf(type);
  if (layout.order === 'text') return `"${quotable('interface name', String(scalar))}"`;
  if (layout.order === 'address') return String(scalar);
  const value = scalarNumber(type, scalar);
  if (type === 'mark') return `0x${value.toString(16).padStart(8, '0')}`;
  const word = wordOf(layout, value);
  return word === undefined ? String(value) : (layout.printed?.[word] ?? word);
}

export const isRange = (scalar: Scalar): scalar is ScalarRange => typeof scalar === 'object';

/** A prefix match of interface names, such as `mgy*`. */
export const isWildcard = (type: ValueType, scalar: Scalar): scalar is string =>
  type === 'ifname' && typeof scalar === 'string' && scalar.endsWith('*');

/** @throws Error when nft(8) could not read the text between quotes */
export function quotable(what: string, text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not appear
  if (/["\u0000-\u001f\u007f]/.test(text)) {
    throw new Error(`Cannot print ${what} ${JSON.stringify(text)}: has a quote or control character, expected none`);
  }
  return text;
}

function wordOf(layout: Layout, value: number): string | undefined {
  for (const [word, number] of Object.entries(layout.words ?? {})) if (number === value) return word;
  return undefined;
}

const misfit = (type: ValueType, scalar: Scalar): Error =>
  new Error(`Cannot use ${JSON.stringify(scalar)} as nftables value: expected a value of type ${type}`);
