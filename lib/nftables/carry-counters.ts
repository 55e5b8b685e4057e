// Values of named counters across a replacement of their table.
import type { CounterName } from './ast.ts';
import type { CounterValue } from './dump.ts';
import type { NftOp } from './ops.ts';

/** The same operations, with counters that start where those of their name stand; others start at zero. */
export const carryCounters = (
  ops: readonly NftOp[],
  values: ReadonlyMap<CounterName, CounterValue>,
): readonly NftOp[] => {
  if (values.size === 0) return ops;
  return ops.map((op) => {
    const initial = op.kind === 'add-counter' ? values.get(op.counter.name) : undefined;
    return op.kind === 'add-counter' && initial !== undefined ? { ...op, initial } : op;
  });
};
