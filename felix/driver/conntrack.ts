// One reading of all tracked flows, which leaves only those that policy allows: a flow that is denied now, or that belongs
// to a pod that is gone, is ended. What stays allowed is not touched, since its entry may hold an address translation.
// The table may be large, so the work is cut into slices, and other work of the loop comes between.
import { setImmediate } from 'node:timers/promises';
import type { Conntrack } from '../../lib/linux/conntrack.ts';
import type { Flow } from '../../lib/linux/conntrack-codec.ts';
import { GENERATION_MASK, type Generation, generationMark, REVOKED } from '../render/policy/generation.ts';
import { generationLag, MAX_LAG, markedGeneration } from '../revoke-generation.ts';
import type { FlowJudgement } from '../revoke-judge.ts';

export type SweepResult = {
  readonly seen: number;
  /** Ended, since policy denies them. */
  readonly denied: number;
  /** Denied ones that are kept, those of earlier sweeps among them: they wait for the rules to allow them again. */
  readonly held: number;
  /** Deleted, since their pod is gone. */
  readonly orphaned: number;
};

/**
 * Without an entry, the next segment of the side that answers would begin one the other way around (sysctl
 * net.netfilter.nf_conntrack_tcp_loose), and what is denied would pass as its replies. So revoked connections stay,
 * and are marked.
 */
const TCP = 6;

/** Flows between two looks at the clock. */
const PIECE = 32;

/**
 * `judge` and `generation` are asked anew for each piece, so that every flow is judged by the rules that are in force
 * when it is deleted. Other work comes between after `sliceMs` at the latest. Absent: `stopped` said so on the way.
 * @throws KernelError; Error of the judge
 */
export async function sweepFlows(options: {
  readonly conntrack: Conntrack;
  readonly judge: () => (flow: Flow) => FlowJudgement;
  readonly generation: () => Generation;
  readonly sliceMs: number;
  readonly stopped: () => boolean;
}): Promise<SweepResult | undefined> {
  const { conntrack, judge, generation, sliceMs, stopped } = options;
  const total = { seen: 0, denied: 0, held: 0, orphaned: 0 };

  const take = (flows: readonly Flow[]): void => {
    const judgeFlow = judge();
    const current = generation();
    const denied: Flow[] = [];
    const revoked: Flow[] = [];
    const orphaned: Flow[] = [];
    const forgetful: Flow[] = [];
    for (const flow of flows) {
      const judgement = judgeFlow(flow);
      const isRevoked = flow.protocol === TCP && markedGeneration(flow.mark) === REVOKED;
      if (judgement === 'denied' && flow.protocol !== TCP) denied.push(flow);
      else if (judgement === 'denied' && isRevoked) total.held++;
      else if (judgement === 'denied') revoked.push(flow);
      else if (judgement === 'orphaned') orphaned.push(flow);
      else if (judgement === 'allowed' && (isRevoked || isOld(flow, current))) forgetful.push(flow);
    }
    total.seen += flows.length;
    const held = conntrack.setMark(revoked, { value: generationMark(REVOKED), mask: GENERATION_MASK });
    total.held += held;
    total.denied += conntrack.delete(denied) + held;
    total.orphaned += conntrack.delete(orphaned);
    conntrack.setMark(forgetful, { value: 0, mask: GENERATION_MASK });
  };

  const next = conntrack.dump();
  for (let flows = await next(); flows !== undefined; flows = await next()) {
    let until = performance.now() + sliceMs;
    for (let at = 0; at < flows.length; at += PIECE) {
      if (stopped()) return undefined;
      if (performance.now() >= until) {
        await setImmediate();
        until = performance.now() + sliceMs;
      }
      take(flows.slice(at, at + PIECE));
    }
  }
  return total;
}

function isOld({ mark }: Flow, current: Generation): boolean {
  const marked = markedGeneration(mark);
  return marked !== 0 && generationLag(marked, current) > MAX_LAG;
}

/** All generations that flows carry. @throws KernelError */
export async function generationsInUse(conntrack: Conntrack): Promise<ReadonlySet<number>> {
  const used = new Set<number>();
  const next = conntrack.dump();
  for (let flows = await next(); flows !== undefined; flows = await next()) {
    for (const { mark } of flows) used.add(markedGeneration(mark));
  }
  return used;
}
