// The policy generation over the long life of flows: its numbers come around after 65534 changes, and a mark from the
// last time around must not pass for the present one. Pure.
import { FIRST_GENERATION, type Generation, nextGeneration } from './render/policy/generation.ts';

const NUMBERS = 0xfffe;

/**
 * A flow that is this far behind loses its mark; well before the numbers come around, and seldom enough to cost nothing.
 */
export const MAX_LAG = 0x2000;

/** The generation in a conntrack mark; 0: none. */
export const markedGeneration = (mark: number): number => mark >>> 16;

/** How many changes ago, 0 to 65533; `marked` is 1 to 65534. */
export const generationLag = (marked: number, current: Generation): number => (current - marked + NUMBERS) % NUMBERS;

/**
 * For a node whose table is gone while flows that it had marked live on: a generation such that neither it nor the next
 * ones, up to the first free stretch, are on a flow. When all are taken, the first.
 */
export function unusedGeneration(used: ReadonlySet<number>): Generation {
  let generation = FIRST_GENERATION;
  for (let tries = 0; tries < NUMBERS; tries++) {
    const next = nextGeneration(generation);
    if (!used.has(generation) && !used.has(next)) return generation;
    generation = next;
  }
  return FIRST_GENERATION;
}
