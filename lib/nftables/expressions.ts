// The expressions of a kernel rule as plain data: the level between the AST and the attributes on the wire. Registers
// are numbers of enum nft_registers: 1 to 4 hold 16 bytes each, 8 to 23 are the same memory in words of 4.
import type { ValueType } from './value-types.ts';

/** Expressions that put something of the packet into a register. */
export type Load =
  | { readonly kind: 'meta'; readonly key: number; readonly dreg: number }
  /** `direction` is one of enum ip_conntrack_dir, where the key needs it. */
  | { readonly kind: 'ct'; readonly key: number; readonly direction?: number; readonly dreg: number }
  | {
      readonly kind: 'payload';
      readonly base: number;
      readonly offset: number;
      readonly length: number;
      readonly dreg: number;
    }
  | { readonly kind: 'fib'; readonly result: number; readonly flags: number; readonly dreg: number };

/** A set made for one rule. `elements` are sorted register values; an `end` is exclusive, absent: to the last value. */
export type AnonymousSet = {
  readonly type: ValueType;
  readonly interval: boolean;
  readonly elements: readonly { readonly start: Uint8Array; readonly end?: Uint8Array }[];
};

export type Expression =
  | Load
  | { readonly kind: 'cmp'; readonly sreg: number; readonly op: CmpOp; readonly data: Uint8Array }
  | {
      readonly kind: 'range';
      readonly sreg: number;
      readonly op: '==' | '!=';
      readonly from: Uint8Array;
      readonly to: Uint8Array;
    }
  | {
      readonly kind: 'bitwise';
      readonly sreg: number;
      readonly dreg: number;
      readonly mask: Uint8Array;
      readonly xor: Uint8Array;
    }
  | {
      readonly kind: 'lookup';
      readonly sreg: number;
      readonly set: string | AnonymousSet;
      readonly inverted: boolean;
      readonly map: boolean;
    }
  | { readonly kind: 'data'; readonly dreg: number; readonly data: Uint8Array }
  | { readonly kind: 'verdict'; readonly code: number; readonly chain?: string }
  | { readonly kind: 'ct-set'; readonly key: number; readonly sreg: number }
  | { readonly kind: 'counter' }
  | { readonly kind: 'counter-ref'; readonly name: string }
  | { readonly kind: 'log'; readonly prefix: string; readonly group?: number }
  | { readonly kind: 'limit'; readonly rate: number; readonly unitSeconds: number; readonly burst: number }
  | { readonly kind: 'reject'; readonly type: number; readonly code: number }
  | { readonly kind: 'notrack' }
  | { readonly kind: 'masq'; readonly flags: number }
  | {
      readonly kind: 'nat';
      readonly type: number;
      readonly family: number;
      readonly addressRegister: number;
      readonly portRegister?: number;
    }
  /** Only from a dump. */
  | { readonly kind: 'unknown'; readonly name: string };

export type CmpOp = '==' | '!=' | '<' | '<=' | '>' | '>=';
