// How V8 treats the heap of an agent that is ready. Reading the cluster makes much garbage at once, and with these flags from
// the beginning the collector takes a third of the start; later the agent waits for most of its life, and is to be small.
import { setFlagsFromString } from 'node:v8';

/** Percent by which the heap may outgrow what was in use at the last collection. */
const GROWING_PERCENT = 20;

/**
 * Collections from now on give memory back, and come before the heap has grown by much. The first is here, since the heap
 * was allowed to grow before; it takes some 100 ms on a full node, and needs `--expose-gc` (start.sh).
 */
export function keepHeapSmall(): void {
  setFlagsFromString(`--heap-growing-percent=${GROWING_PERCENT}`);
  setFlagsFromString('--optimize-for-size');
  globalThis.gc?.({ type: 'major', execution: 'sync', flavor: 'last-resort' });
}
