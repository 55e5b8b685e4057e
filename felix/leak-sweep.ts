// Frees addresses that leaked inside a node that lives: a DEL was answered and not written down (full disk, then a crash), or
// never came. Nobody but the node can tell, and it believes only what every look has found for the whole grace, by a
// monotonic clock. An ADD that is slow has another sequence than what was there before, and far less time.

import type { Wiring } from '../cni/wiring.ts';
import { resourceKey } from '../datastore/resources/index.ts';
import { partsOf } from '../ipam/handle.ts';
import type { Ipam } from '../ipam/ipam.ts';
import { leakedAssignments, type NodeLook } from '../ipam/model/leaked-assignments.ts';
import type { IpamView } from '../ipam/view.ts';
import { createGrace } from '../lib/grace.ts';
import type { Log } from '../lib/log.ts';
import type { Result } from '../lib/result.ts';
import type { Model } from './model/model.ts';

/** Between two looks, in milliseconds: twice in a grace, within these bounds. */
const LOOK_MS = { least: 1000, most: 60_000 } as const;

export type LeakSweepParts = {
  readonly ipam: Pick<Ipam, 'assignments'>;
  readonly wiring: Pick<Wiring, 'wired' | 'isWired'>;
  readonly view: () => Pick<IpamView, 'assignments' | 'links'>;
  readonly resource: Model['resource'];
  /** Why the datastore's objects may not be those of now. */
  readonly storeProblem: () => string | undefined;
  /** Absent: nothing is freed. */
  readonly graceMs: () => number | undefined;
  /** Looks once more, and refuses what is no leak. */
  readonly release: (asked: { readonly handle: string; readonly sequence: number }) => Promise<Result<object>>;
  readonly log: Log;
};

/** Looks until `signal` aborts. */
export function sweepLeaks(parts: LeakSweepParts, signal: AbortSignal): void {
  const look = createLeakSweep(parts);
  let timer: NodeJS.Timeout | undefined;
  const next = (): void => {
    if (signal.aborted) return;
    const halfMs = (parts.graceMs() ?? Number.POSITIVE_INFINITY) / 2;
    timer = setTimeout(run, Math.min(LOOK_MS.most, Math.max(LOOK_MS.least, halfMs)));
  };
  const run = (): void => {
    look(performance.now())
      .catch((error: unknown) => parts.log.warn({ err: error }, 'cannot look for leaked addresses'))
      .finally(next);
  };
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  next();
}

/** One look; `nowMs` is monotonic. @throws KernelError, and Error when rules or routes stay */
export function createLeakSweep(parts: LeakSweepParts): (nowMs: number) => Promise<void> {
  const { ipam, wiring, view, resource, storeProblem, graceMs: graceNow, release, log } = parts;
  const grace = createGrace<number>();
  const pod: NodeLook['pod'] = (namespace, name) => {
    const found = resource(resourceKey('Pod', namespace, name));
    return found?.kind === 'Pod' ? found : undefined;
  };
  const hasInterface: NodeLook['hasInterface'] = ({ handle, netns }) =>
    wiring.isWired({ netns, ifName: partsOf(handle).ifName });
  // Reading all links is cheap, reading all routes is not, and as a rule there is nothing to look closer at.
  const isAllWired = (): boolean => {
    const wired = new Set(wiring.wired().map(({ handle }) => handle));
    return ipam.assignments().every(({ handle }) => wired.has(handle));
  };
  return async (nowMs) => {
    if (storeProblem() !== undefined) return;
    const graceMs = graceNow();
    const leaked = graceMs === undefined || isAllWired() ? [] : leakedAssignments({ ...view(), pod, hasInterface });
    const due = grace.due(
      leaked.map(({ sequence }) => sequence),
      { nowMs, graceMs: graceMs ?? 0 },
    );
    for (const { handle, sequence, namespace, pod, ips } of leaked.filter((each) => due.has(each.sequence))) {
      const released = await release({ handle, sequence });
      if (released.ok)
        log.warn({ handle, namespace, pod, ips }, 'freed addresses that leaked: nobody has them any more');
      else log.info({ handle, why: released.error }, 'left alone what seems to be a leaked address');
    }
  };
}
