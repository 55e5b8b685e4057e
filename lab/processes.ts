// Finding and ending the processes of a lab, by what they are (the network namespace they are in, the mark in their
// environment), never by their program's name.
import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs';
import { waitFor } from '../lib/wait-for.ts';
import { MARK } from './exec.ts';
import { labDirectory, netnsPath } from './paths.ts';

export type Process = { readonly pid: number; readonly parent: number; readonly command: string };

/** All processes that are in one of the namespaces or carry the lab's mark; never this one or its ancestors. */
export function labProcesses(lab: string, netnsNames: readonly string[]): readonly Process[] {
  const mark = `${MARK}=${labDirectory(lab)}`;
  const isInside = insideOf(netnsNames);
  return listProcesses((pid) => isInside(pid) || environment(pid).includes(mark));
}

/** The processes that are in one of the namespaces; never this one or its ancestors. */
export const processesIn = (netnsNames: readonly string[]): readonly Process[] => listProcesses(insideOf(netnsNames));

/**
 * Kills what `find` finds until it finds nothing more; supervisors before what they would start again.
 * @throws Error when something is still there after 20 s
 */
export async function killAll(find: () => readonly Process[]): Promise<void> {
  await waitFor(
    'the processes of the lab to end',
    () => {
      const found = find();
      const pids = new Set(found.map(({ pid }) => pid));
      for (const { pid } of found.toSorted((a, b) => Number(pids.has(a.parent)) - Number(pids.has(b.parent)))) {
        signal(pid, 'SIGKILL');
      }
      return found.length === 0;
    },
    { timeoutMs: 20_000, everyMs: 10 },
  );
}

/** Sends a signal; false when there is no such process. */
export function signal(pid: number, name: NodeJS.Signals | 0): boolean {
  try {
    process.kill(pid, name);
    return true;
  } catch {
    return false;
  }
}

/** The start time of a running process (proc_pid_stat(5) field 22, clock ticks); absent for one that is gone. */
export const startTimeOf = (pid: number): string | undefined => readStat(pid)?.startTime;

/** The number in a pid file; nothing is known of a process with that number. */
export function readNumber(path: string): number | undefined {
  const pid = Number(read(path).trim());
  return Number.isInteger(pid) && pid > 1 ? pid : undefined;
}

/** The number in a pid file if that process runs and its command line contains `command`. */
export function readPidFile(path: string, command: string): number | undefined {
  const pid = readNumber(path);
  return pid !== undefined && readStat(pid) !== undefined && commandLine(pid).includes(command) ? pid : undefined;
}

function listProcesses(isWanted: (pid: number) => boolean): readonly Process[] {
  const spared = ancestors(process.pid);
  return readdirSync('/proc').flatMap((entry) => {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || spared.has(pid) || !isWanted(pid)) return [];
    const stat = readStat(pid);
    return stat === undefined ? [] : [{ pid, parent: stat.parent, command: commandLine(pid) }];
  });
}

function insideOf(netnsNames: readonly string[]): (pid: number) => boolean {
  const links = new Set(netnsNames.map(netnsLink).filter((link) => link !== undefined));
  return (pid) => links.has(readLink(`/proc/${pid}/ns/net`) ?? '');
}

function netnsLink(netns: string): string | undefined {
  try {
    return `net:[${statSync(netnsPath(netns)).ino}]`;
  } catch {
    return undefined;
  }
}

function ancestors(pid: number): ReadonlySet<number> {
  const found = new Set<number>();
  for (let at = pid; at > 0 && !found.has(at); at = readStat(at)?.parent ?? 0) found.add(at);
  return found;
}

// The program's name, field 2, may contain blanks and parentheses, so fields are counted from its last parenthesis.
function readStat(pid: number): { readonly parent: number; readonly startTime: string } | undefined {
  const text = read(`/proc/${pid}/stat`);
  const [state, parent, ...rest] = text.slice(text.lastIndexOf(')') + 2).split(' ');
  if (text === '' || state === 'Z' || state === 'X') return undefined;
  return { parent: Number(parent), startTime: rest[17] ?? '' };
}

const commandLine = (pid: number): string => read(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').trim();

const environment = (pid: number): readonly string[] => read(`/proc/${pid}/environ`).split('\0');

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function readLink(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}
