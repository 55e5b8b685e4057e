// Whether the executable keeps its DELs where this agent looks for them. Two settings say where: the network configuration
// and the agent's own. Where they differ, addresses and links stay for as long as nobody collects them.
import { statSync } from 'node:fs';
import type { Log } from '../lib/log.ts';

/** Of the executable (shim/margay.c), where the network configuration has no `spoolDirectory`. */
const DEFAULT_FOLDER = '/var/lib/margay/cni-spool';

export type SpoolPlace = {
  /** Hears of the `spoolDirectory` of a call. */
  readonly seen: (configured: string | undefined) => void;
  /** A sentence, from a call with another folder until one with this. */
  readonly problem: () => string | undefined;
};

/** `own`: the folder that this agent reads. */
export function createSpoolPlace(own: string, log: Log): SpoolPlace {
  let last: string | undefined;
  let problem: string | undefined;
  return {
    seen: (configured = DEFAULT_FOLDER) => {
      if (configured === last) return;
      last = configured;
      const isOwn = configured === own || isSameFolder(configured, own);
      problem = isOwn
        ? undefined
        : `Cannot find the DELs that the CNI executable keeps in "${configured}" while no agent runs: this agent looks in "${own}", expected one folder. Run "margay cni install" with --spool-directory "${own}"`;
      if (problem !== undefined) log.error({ configured, own }, problem);
    },
    problem: () => problem,
  };
}

/** Links and mounts give a folder several paths. One of them may not be there yet, or be no path at all. */
function isSameFolder(a: string, b: string): boolean {
  try {
    const [first, second] = [a, b].map((path) => statSync(path, { bigint: true }));
    return first !== undefined && first.ino === second?.ino && first.dev === second.dev;
  } catch {
    return false;
  }
}
