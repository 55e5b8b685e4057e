// The operations of a batch. Each becomes one netlink message or a few, and is what an error of the kernel points at.
import type { ChainName, Counter, Element, Hook, NftSet, Rule, SetName, Table, TableName } from './ast.ts';
import type { CounterValue } from './dump.ts';

export type NftOp =
  | { readonly kind: 'add-table' | 'delete-table'; readonly table: Table }
  /** `initial` absent: zero. */
  | {
      readonly kind: 'add-counter';
      readonly table: TableName;
      readonly counter: Counter;
      readonly initial?: CounterValue;
    }
  | { readonly kind: 'delete-counter'; readonly table: TableName; readonly counter: Counter }
  | { readonly kind: 'add-set' | 'delete-set'; readonly table: TableName; readonly set: NftSet }
  /** Without rules; they follow one by one. */
  | { readonly kind: 'add-chain'; readonly table: TableName; readonly chain: ChainName; readonly hook?: Hook }
  | { readonly kind: 'flush-chain' | 'delete-chain'; readonly table: TableName; readonly chain: ChainName }
  /** Behind the last rule. */
  | { readonly kind: 'add-rule'; readonly table: TableName; readonly chain: ChainName; readonly rule: Rule }
  | {
      readonly kind: 'add-elements' | 'delete-elements';
      readonly table: TableName;
      readonly set: SetName;
      readonly elements: readonly Element[];
    };

/** The object in words, such as `set "s4_ab" of table "margay"`. */
export function describeOp(op: NftOp): string {
  switch (op.kind) {
    case 'add-table':
    case 'delete-table':
      return `${verb(op)} table "${op.table.name}"`;
    case 'add-counter':
    case 'delete-counter':
      return `${verb(op)} counter "${op.counter.name}" of table "${op.table}"`;
    case 'add-set':
    case 'delete-set':
      return `${verb(op)} set "${op.set.name}" of table "${op.table}"`;
    case 'add-chain':
    case 'flush-chain':
    case 'delete-chain':
      return `${verb(op)} chain "${op.chain}" of table "${op.table}"`;
    case 'add-rule':
      return `add rule to chain "${op.chain}" of table "${op.table}"`;
    case 'add-elements':
    case 'delete-elements':
      return `${verb(op)} elements of set "${op.set}" of table "${op.table}"`;
    default:
      return op satisfies never;
  }
}

const verb = (op: NftOp): string => op.kind.slice(0, op.kind.indexOf('-'));
