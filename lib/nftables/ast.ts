// The nf_tables objects of the layout as plain data. One vocabulary serves the renderer, the text printer, the netlink
// encoder, the dump decoder and the packet walker; names and words are those of nft(8).
//
// A table is a set of keyed objects (chain, set, element, counter). What a driver holds is a map from `nftKey(object)`
// to object; a change of the table is a list of keys with the object before and after.
import type { Brand } from '../brand.ts';
import type { Ip } from '../ip.ts';

export type TableName = Brand<string, 'TableName'>;
export type ChainName = Brand<string, 'ChainName'>;
export type SetName = Brand<string, 'SetName'>;
export type CounterName = Brand<string, 'CounterName'>;

/** A table of family inet. `owner` and `persist` are the table flags of that name (uapi nf_tables.h NFT_TABLE_F_*). */
export type Table = {
  readonly name: TableName;
  readonly flags: readonly ('owner' | 'persist')[];
};

/** Hook of a base chain; `priority` is the number, `policy` the verdict at its end. */
export type Hook = {
  readonly type: 'filter' | 'nat' | 'route';
  readonly hook: 'prerouting' | 'input' | 'forward' | 'output' | 'postrouting';
  readonly priority: number;
  readonly policy: 'accept' | 'drop';
};

/** A chain with all its rules; replaced as a whole. Without `hook` it is a regular chain. */
export type Chain = {
  readonly kind: 'chain';
  readonly name: ChainName;
  readonly hook?: Hook;
  readonly rules: readonly Rule[];
};

/** A rule; `comment` (at most 128 bytes) names what it came from. */
export type Rule = { readonly statements: readonly Statement[]; readonly comment?: string };

export type KeyType = 'ipv4_addr' | 'ipv6_addr' | 'ifname' | 'inet_proto' | 'inet_service';

/**
 * A named set, or a verdict map when `data` is `verdict`. Several key types make a concatenation. `interval` sets hold
 * ranges, disjoint by construction (no auto-merge).
 */
export type NftSet = {
  readonly kind: 'set';
  readonly name: SetName;
  readonly keyTypes: readonly KeyType[];
  readonly interval: boolean;
  readonly data?: 'verdict';
};

/** One element of a named set; `verdict` exactly when the set is a verdict map. */
export type Element = {
  readonly kind: 'element';
  readonly set: SetName;
  readonly key: readonly Scalar[];
  readonly verdict?: Verdict;
};

/** A named counter object. */
export type Counter = { readonly kind: 'counter'; readonly name: CounterName };

/** Only from a dump: something in the table that this vocabulary cannot say, such as a set of another type. */
export type UnknownObject = { readonly kind: 'unknown'; readonly name: string; readonly detail: string };

export type NftObject = Chain | NftSet | Element | Counter | UnknownObject;

/** Addresses as `Ip`, interface names as text (a trailing `*` is a prefix match), ports and marks as numbers. */
export type Scalar = Ip | string | number | ScalarRange;

/** Inclusive; of addresses or ports. */
export type ScalarRange = { readonly from: Ip | number; readonly to: Ip | number };

/** `ipip` and `ipv6` are IPv4 and IPv6 as the content of another packet. */
export type L4Proto = 'tcp' | 'udp' | 'sctp' | 'icmp' | 'ipv6-icmp' | 'ipip' | 'ipv6' | 'gre' | 'esp';

/** What a statement looks at. `th` fields stand for the ports of TCP, UDP and SCTP alike. */
export type Operand =
  | { readonly kind: 'meta'; readonly key: 'iifname' | 'oifname' | 'l4proto' | 'nfproto' | 'mark' }
  | {
      readonly kind: 'payload';
      readonly field:
        | 'ip saddr'
        | 'ip daddr'
        | 'ip6 saddr'
        | 'ip6 daddr'
        | 'th sport'
        | 'th dport'
        | 'tcp sport'
        | 'tcp dport'
        | 'udp sport'
        | 'udp dport'
        | 'sctp sport'
        | 'sctp dport'
        | 'icmp type'
        | 'icmpv6 type';
    }
  | { readonly kind: 'ct'; readonly key: 'state' | 'direction' | 'status' }
  /** Who sends in this direction of the flow, after address translation of that direction. */
  | { readonly kind: 'ct-saddr'; readonly direction: 'original' | 'reply'; readonly family: 4 | 6 }
  | { readonly kind: 'ct-mark'; readonly mask: number }
  | { readonly kind: 'fib'; readonly result: 'oif' | 'type'; readonly flags: readonly ('saddr' | 'daddr' | 'iif')[] };

/**
 * Right side of a match: one value, an anonymous set of values and ranges, or a range. For `ct state` the words
 * `new`, `established`, `related`, `invalid`, `untracked` (several: any of them); for `ct direction` the words
 * `original` and `reply`; for `l4proto` an `L4Proto`; for `nfproto` `ipv4` or `ipv6`; for `fib … oif` `missing` or
 * `exists`; for `fib … type` words such as `local`.
 */
export type MatchValue = Scalar | { readonly anyOf: readonly Scalar[] };

export type Verdict =
  | { readonly kind: 'accept' }
  | { readonly kind: 'drop' }
  | { readonly kind: 'return' }
  | { readonly kind: 'continue' }
  | { readonly kind: 'jump'; readonly chain: ChainName }
  | { readonly kind: 'goto'; readonly chain: ChainName };

export type Statement =
  | { readonly kind: 'match'; readonly left: Operand; readonly op: '==' | '!='; readonly right: MatchValue }
  | { readonly kind: 'lookup'; readonly key: readonly Operand[]; readonly op: 'in' | 'not in'; readonly set: SetName }
  | { readonly kind: 'vmap'; readonly key: readonly Operand[]; readonly map: SetName }
  | { readonly kind: 'verdict'; readonly verdict: Verdict }
  | { readonly kind: 'counter' }
  | { readonly kind: 'counter-ref'; readonly counter: CounterName }
  | { readonly kind: 'log'; readonly prefix: string; readonly group?: number }
  | {
      readonly kind: 'limit';
      readonly rate: number;
      readonly per: 'second' | 'minute' | 'hour';
      readonly burst: number;
    }
  | { readonly kind: 'reject'; readonly with: 'tcp reset' | 'icmpx admin-prohibited' }
  | { readonly kind: 'notrack' }
  | { readonly kind: 'masquerade'; readonly flags: readonly ('random' | 'fully-random' | 'persistent')[] }
  | { readonly kind: 'snat' | 'dnat'; readonly family: 4 | 6; readonly address: Ip; readonly port?: number }
  /** `ct mark set ct mark & ~mask | value`: writes `value` into the bits of `mask` and keeps the others. */
  | { readonly kind: 'set-ct-mark'; readonly mask: number; readonly value: number }
  /** Only from a dump: an expression that this vocabulary cannot say, named. It can be printed but not sent. */
  | { readonly kind: 'unknown'; readonly expression: string };

/** A whole table. */
export type Ruleset = { readonly table: Table; readonly objects: ReadonlyMap<NftKey, NftObject> };

/** Identity of an object in its table. */
export type NftKey = Brand<string, 'NftKey'>;

export function nftKey(object: NftObject): NftKey {
  switch (object.kind) {
    case 'chain':
    case 'set':
    case 'counter':
    case 'unknown':
      return `${object.kind}/${object.name}` as NftKey;
    case 'element':
      return `element/${object.set}/${object.key.map(scalarText).join(' . ')}` as NftKey;
    default:
      return object satisfies never;
  }
}

/** A key with the object before and after; `undefined`: absent. */
export type NftChange = {
  readonly key: NftKey;
  readonly before: NftObject | undefined;
  readonly after: NftObject | undefined;
};

const scalarText = (scalar: Scalar): string =>
  typeof scalar === 'object' ? `${scalar.from}-${scalar.to}` : String(scalar);
