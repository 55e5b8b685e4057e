// Ends the flows that policy allowed once and denies now. The generation in the rules has the original direction of every
// flow judged again by the kernel; a flow of which only the other side still sends is found here, by judging all tracked
// flows after a change. The same reading takes the flows of pods that are gone. Readings follow each other, never run
// side by side.
//
//   rules that can revoke ──► at once ─┐
//   pod gone, member gone ──► soon ────┼─► sweep in slices ─► served
//   address wanted again ───► at once ─┘
import { setImmediate } from 'node:timers/promises';
import type { Ip } from '../lib/ip.ts';
import type { Conntrack } from '../lib/linux/conntrack.ts';
import type { Flow } from '../lib/linux/conntrack-codec.ts';
import type { Log } from '../lib/log.ts';
import { type SweepResult, sweepFlows } from './driver/conntrack.ts';
import type { Generation } from './render/policy/generation.ts';
import { createFlowJudge, type FlowJudgement, type FlowWorld } from './revoke-judge.ts';

export type Revoker = {
  /** Rules or endpoints are not what they were; a sweep that is under way goes on with the new ones. */
  readonly worldChanged: () => void;
  /** Judges all flows as soon as it can. The rules in the kernel must be the new ones already. */
  readonly revoke: () => void;
  /** Judges all flows some time soon: something went that no flow may rely on for ever. */
  readonly revokeSoon: () => void;
  /** No pod has these addresses any more. */
  readonly addressesGone: (ips: readonly Ip[]) => void;
  /** Resolves when no flow of an earlier pod with these addresses is left. @throws Error when that cannot be found out */
  readonly clean: (ips: readonly Ip[]) => Promise<void>;
  readonly view: () => RevokerView;
  /** Ends at the next pause; nothing is under way when it resolves. */
  readonly close: () => Promise<void>;
};

export type RevokerView = {
  /** Generation of the rules at the beginning of the last complete sweep; absent before the first. */
  readonly judgedGeneration: Generation | undefined;
  readonly last: (SweepResult & { readonly milliseconds: number }) | undefined;
  /** Flows ended because policy denies them, since the start. */
  readonly revoked: number;
  readonly problem: string | undefined;
};

/** Work between two turns of the loop, in milliseconds. */
const SLICE_MS = 5;
/** Delay of a sweep that is not urgent, and of the next try after an error, in milliseconds. */
const SOON_MS = 250;
const RETRY_MS = 1000;
/** Sweeps that are not urgent keep at least so many times their own duration of distance. */
const REST = 20;

/** `world` is what the kernel has; asked after each `worldChanged`. */
export function createRevoker(options: {
  readonly conntrack: Conntrack;
  readonly world: () => FlowWorld;
  readonly generation: () => Generation;
  readonly log: Log;
}): Revoker {
  const { conntrack, generation, log } = options;
  let judge: ((flow: Flow) => FlowJudgement) | undefined;
  // Before the first sweep nobody knows whose flows are left.
  let dirty: ReadonlySet<Ip> | 'all' = 'all';
  let serving: ReadonlySet<Ip> | 'all' = new Set();
  let wanted: 'no' | 'soon' | 'now' = 'no';
  let running: Promise<void> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let cleaners: { readonly ips: readonly Ip[]; readonly settle: (problem: string | undefined) => void }[] = [];
  let quietUntil = 0;
  let view: RevokerView = { judgedGeneration: undefined, last: undefined, revoked: 0, problem: undefined };

  const isDirty = (ip: Ip): boolean => holds(dirty, ip);

  const want = (when: 'soon' | 'now'): void => {
    if (wanted !== 'now') wanted = when;
    if (running === undefined) plan();
  };

  const plan = (): void => {
    if (closed || wanted === 'no') return;
    clearTimeout(timer);
    timer = undefined;
    if (wanted === 'now') start();
    else timer = setTimeout(start, Math.max(SOON_MS, quietUntil - performance.now()));
  };

  const start = (): void => {
    running = sweep().then(() => {
      running = undefined;
      plan();
    });
  };

  const sweep = async (): Promise<void> => {
    // What asked for this is part of a pass over the kernel, which ends first.
    await setImmediate();
    if (closed) return;
    wanted = 'no';
    serving = dirty;
    dirty = new Set();
    const began = { at: performance.now(), generation: generation() };
    const judgeNow = (): ((flow: Flow) => FlowJudgement) => {
      judge ??= createFlowJudge(options.world());
      return judge;
    };
    try {
      const stopped = (): boolean => closed;
      const result = await sweepFlows({ conntrack, judge: judgeNow, generation, sliceMs: SLICE_MS, stopped });
      if (result === undefined) return;
      const milliseconds = performance.now() - began.at;
      quietUntil = performance.now() + milliseconds * REST;
      view = {
        judgedGeneration: began.generation,
        last: { ...result, milliseconds },
        revoked: view.revoked + result.denied,
        problem: undefined,
      };
      if (result.denied + result.orphaned > 0) log.debug({ ...result, milliseconds }, 'flows ended');
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      log.error({ err: error, retryMs: RETRY_MS }, 'tracked flows not judged');
      view = { ...view, problem };
      dirty = union(serving, dirty);
      quietUntil = performance.now() + RETRY_MS;
      wanted = 'soon';
    } finally {
      // The rules may change before the next one, and the index of a large table need not be kept.
      judge = undefined;
      serving = new Set();
    }
    const waiting = cleaners;
    cleaners = [];
    for (const cleaner of waiting) {
      if (view.problem !== undefined) cleaner.settle(view.problem);
      else if (cleaner.ips.some(isDirty)) cleaners.push(cleaner);
      else cleaner.settle(undefined);
    }
    if (cleaners.length > 0) wanted = 'now';
  };

  return {
    worldChanged: () => {
      judge = undefined;
      // The change may allow them again, and where only the other side sends nothing else would tell.
      if ((view.last?.held ?? 0) > 0) want('soon');
    },
    revoke: () => want('now'),
    revokeSoon: () => want('soon'),
    addressesGone: (ips) => {
      dirty = union(dirty, new Set(ips));
      want('soon');
    },
    clean: async (ips) => {
      if (!ips.some((ip) => isDirty(ip) || holds(serving, ip))) return;
      await new Promise<void>((resolve, reject) => {
        const settle = (problem: string | undefined): void => {
          if (problem === undefined) resolve();
          else reject(new Error(`Cannot clear the flows of ${ips.join(', ')}: ${problem}`));
        };
        cleaners.push({ ips, settle });
        if (ips.some(isDirty)) want('now');
      });
    },
    view: () => view,
    close: async () => {
      closed = true;
      clearTimeout(timer);
      for (const { settle } of cleaners.splice(0)) settle('the agent ends');
      await running;
    },
  };
}

const holds = (set: ReadonlySet<Ip> | 'all', ip: Ip): boolean => set === 'all' || set.has(ip);

const union = (a: ReadonlySet<Ip> | 'all', b: ReadonlySet<Ip> | 'all'): ReadonlySet<Ip> | 'all' =>
  a === 'all' || b === 'all' ? 'all' : a.union(b);
