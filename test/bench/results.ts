// Samples to lines of the report.
import type { Result, Side } from './types.ts';

/** Percentiles by nearest rank. @throws Error without samples */
export function sideOf(samples: readonly number[]): Side {
  if (samples.length === 0) throw new Error('Cannot report 0 samples: expected at least one');
  const sorted = [...samples].sort((a, b) => a - b);
  const at = (share: number): number => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
  return { p50: at(0.5), p90: at(0.9), p99: at(0.99), n: sorted.length };
}

/** A goal in words, and whether the line reaches it. */
export type Goal = {
  readonly text: string;
  readonly met: (line: { readonly ours: Side; readonly other: Side | undefined }) => boolean;
};

/** One line. Without a goal it is there to be compared. */
export function resultOf(line: {
  readonly name: string;
  readonly unit: string;
  readonly ours: readonly number[];
  readonly other?: { readonly name: string; readonly samples: readonly number[] };
  readonly goal?: Goal;
}): Result {
  const { name, unit, goal } = line;
  const ours = sideOf(line.ours);
  const other = line.other === undefined ? undefined : sideOf(line.other.samples);
  return {
    name,
    unit,
    ours,
    other: other === undefined || line.other === undefined ? null : { name: line.other.name, ...other },
    ratio: other === undefined || other.p50 === 0 ? null : ours.p50 / other.p50,
    goal: goal?.text ?? '',
    met: goal === undefined || goal.met({ ours, other }),
  };
}

/** The time of a synchronous action in milliseconds. */
export function timed(action: () => void): number {
  const began = performance.now();
  action();
  return performance.now() - began;
}
