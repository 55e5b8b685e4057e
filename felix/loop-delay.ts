// How long single turns of the event loop take. What holds it up holds up every pod of the node, so a turn over 50 ms is
// a bug; this is where one shows. It costs no timer: turns are measured when they happen.
import { monitorEventLoopDelay } from 'node:perf_hooks';

export type LoopDelay = {
  /** Since `begin()`; times in milliseconds. */
  readonly view: () => { readonly turns: number; readonly p99Ms: number; readonly maxMs: number };
  /** Forgets what was before. */
  readonly begin: () => void;
  readonly close: () => void;
};

export function createLoopDelay(): LoopDelay {
  const histogram = monitorEventLoopDelay({ samplePerIteration: true });
  // In nanoseconds; without any turn it has no percentile.
  const toMs = (ns: number): number => (histogram.count === 0 ? 0 : Math.round(ns / 1e4) / 100);
  return {
    view: () => ({ turns: histogram.count, p99Ms: toMs(histogram.percentile(99)), maxMs: toMs(histogram.max) }),
    begin: () => {
      histogram.reset();
      histogram.enable();
    },
    close: () => {
      histogram.disable();
    },
  };
}
