// Resident memory of the agent when nothing happens, and what it consists of.
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '../../../lib/wait-for.ts';
import { type Goal, resultOf } from '../results.ts';
import type { Result, Scale } from '../types.ts';

/** calico-node takes 237 to 301 MiB (projectcalico/calico issue 4129). */
const RESIDENT: Goal = { text: '<= 120 MB', met: ({ ours }) => ours.p99 <= 120 };

/** A garbage collector that finds nothing to do has been seen to take its time before it gives memory back. */
const SETTLE = { full: { samples: 20, everyMs: 1000 }, quick: { samples: 2, everyMs: 50 } } as const;

/** Lines of an agent that has settled; `what` is known to it. The probe of `memory-probe.ts` writes to `report`. */
export async function memoryLines(
  what: string,
  {
    pid,
    report,
    scale,
    isGoal,
  }: { readonly pid: number; readonly report: string; readonly scale: Scale; readonly isGoal: boolean },
): Promise<readonly Result[]> {
  const { samples, everyMs } = SETTLE[scale];
  const resident: number[] = [];
  for (let i = 0; i < samples; i++) {
    await delay(everyMs);
    if (i >= samples / 2) resident.push(statusMegabytes(pid, 'VmRSS'));
  }
  const heap = await askProbe(pid, report);
  const line = (part: string, megabytes: readonly number[], goal?: Goal): Result =>
    resultOf({ name: `${part}, ${what}`, unit: 'MB', ours: megabytes, ...(goal === undefined ? {} : { goal }) });
  return [
    line('resident', resident, isGoal ? RESIDENT : undefined),
    line('of it mapped files (Node.js itself)', [statusMegabytes(pid, 'RssFile')]),
    line('of it heap', [heap.heapTotal / 1e6]),
    line('heap in use', [heap.heapUsed / 1e6]),
    line('highest resident', [statusMegabytes(pid, 'VmHWM')]),
  ];
}

async function askProbe(pid: number, report: string): Promise<NodeJS.MemoryUsage> {
  rmSync(report, { force: true });
  process.kill(pid, 'SIGUSR2');
  return waitFor('the report of the probe', () => existsSync(report) && JSON.parse(readFileSync(report, 'utf8')));
}

/** A line of proc_pid_status(5), in units of 10^6 bytes. */
function statusMegabytes(pid: number, name: string): number {
  const kib = new RegExp(`^${name}:\\s+(\\d+) kB`, 'm').exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  if (kib === undefined) throw new Error(`Cannot read ${name} of process ${pid}: expected a line of that name`);
  return (Number(kib) * 1024) / 1e6;
}
