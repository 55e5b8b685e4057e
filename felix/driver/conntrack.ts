// One reading of all tracked flows, which leaves only those that policy allows: a flow that is denied now, or that belongs
// to a pod that is gone, is deleted. What stays allowed is not touched, since its entry may hold an address translation.
// The table may be large, so the work is cut into slices, and other work of the loop comes between.
import type { Conntrack } from '../../lib/linux/conntrack.ts';
import type { Flow } from '../../lib/linux/conntrack-codec.ts';
import { GENERATION_MASK, type Generation } from '../render/policy/generation.ts';
import { generationLag, MAX_LAG, markedGeneration } from '../revoke-generation.ts';
import type { FlowJudgement } from '../revoke-judge.ts';

export type SweepResult = {
  readonly seen: number;
  /** Deleted, since policy denies them. */
  readonly denied: number;
  /** Deleted, since their pod is gone. */
  readonly orphaned: number;
};

export type FlowSweep = {
  /** Works for about `sliceMs`; the result at the end. @throws KernelError; Error of the judge */
  readonly slice: () => SweepResult | undefined;
};

/** Flows between two looks at the clock. */
const PIECE = 32;

/**
 * `judge` and `generation` are asked anew for each piece, so that every flow is judged by the rules that are in force
 * when it is deleted.
 */
export function beginFlowSweep(options: {
  readonly conntrack: Conntrack;
  readonly judge: () => (flow: Flow) => FlowJudgement;
  readonly generation: () => Generation;
  readonly sliceMs: number;
}): FlowSweep {
  const { conntrack, judge, generation, sliceMs } = options;
  const next = conntrack.dump();
  const total = { seen: 0, denied: 0, orphaned: 0 };

  const take = (flows: readonly Flow[]): void => {
    const judgeFlow = judge();
    const current = generation();
    const denied: Flow[] = [];
    const orphaned: Flow[] = [];
    const forgetful: Flow[] = [];
    for (const flow of flows) {
      const judgement = judgeFlow(flow);
      if (judgement === 'denied') denied.push(flow);
      else if (judgement === 'orphaned') orphaned.push(flow);
      else if (judgement === 'allowed' && isOld(flow, current)) forgetful.push(flow);
    }
    total.seen += flows.length;
    total.denied += conntrack.delete(denied);
    total.orphaned += conntrack.delete(orphaned);
    conntrack.setMark(forgetful, { value: 0, mask: GENERATION_MASK });
  };

  let read: readonly Flow[] = [];
  let taken = 0;
  return {
    slice: () => {
      const until = performance.now() + sliceMs;
      do {
        if (taken >= read.length) {
          const flows = next();
          if (flows === undefined) return total;
          read = flows;
          taken = 0;
        }
        take(read.slice(taken, taken + PIECE));
        taken += PIECE;
      } while (performance.now() < until);
      return undefined;
    },
  };
}

function isOld({ mark }: Flow, current: Generation): boolean {
  const marked = markedGeneration(mark);
  return marked !== 0 && generationLag(marked, current) > MAX_LAG;
}

/** All generations that flows carry. @throws KernelError */
export function generationsInUse(conntrack: Conntrack): ReadonlySet<number> {
  const used = new Set<number>();
  const next = conntrack.dump();
  for (let flows = next(); flows !== undefined; flows = next()) {
    for (const { mark } of flows) used.add(markedGeneration(mark));
  }
  return used;
}
