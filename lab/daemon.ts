// Long-running programs of a lab: started detached inside a namespace, with their output in a file, and stopped by the
// number in their pid file once that number is known to be theirs.
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../lib/wait-for.ts';
import { inside, labEnvironment } from './exec.ts';
import { type DaemonPaths, SOURCE_DIRECTORY } from './paths.ts';
import { readPidFile, signal } from './processes.ts';

export type DaemonOptions = {
  readonly lab: string;
  /** Absent: the namespace of this process. */
  readonly netns?: string;
  readonly command: readonly [string, ...string[]];
  readonly files: DaemonPaths;
  readonly env?: Readonly<Record<string, string>>;
};

const KEEP_RUNNING = join(SOURCE_DIRECTORY, 'lab', 'keep-running.sh');

/** Starts a program once; its pid file is written before this returns. */
export async function startDaemon({ lab, netns, command, files, env }: DaemonOptions): Promise<number> {
  const pid = await startDetached({ lab, netns, command, log: files.log, env });
  writeFileSync(files.pid, `${pid}\n`, { mode: 0o600 });
  return pid;
}

/** Starts a program that is started again whenever it ends; the supervisor writes its pid file. */
export async function startSupervised(options: DaemonOptions): Promise<number> {
  const { files, command } = options;
  return startSupervisor({ ...options, command: ['sh', KEEP_RUNNING, files.pid, files.log, ...command] });
}

/** Starts a supervisor that is itself a program which writes `files.pid`. */
export async function startSupervisor({ lab, netns, command, files, env }: DaemonOptions): Promise<number> {
  const pid = await startDetached({ lab, netns, command, log: files.log, env });
  writeFileSync(files.supervisorPid, `${pid}\n`, { mode: 0o600 });
  return pid;
}

/** What is known of a daemon: absent pids are of processes that do not run. */
export type DaemonState = {
  readonly pid: number | undefined;
  readonly supervisorPid: number | undefined;
  readonly log: string;
};

/** `program` is a part of the command line that the process must have. */
export const daemonState = (files: DaemonPaths, program: string): DaemonState => ({
  pid: readPidFile(files.pid, program),
  supervisorPid: readPidFile(files.supervisorPid, program.includes('gobgpd') ? 'supervise.sh' : 'keep-running.sh'),
  log: files.log,
});

/**
 * Stops a supervised program: the supervisor first, then the program, by SIGTERM and after 5 s by SIGKILL.
 * @throws Error when it does not end
 */
export async function stopSupervised(files: DaemonPaths, program: string): Promise<void> {
  const { pid, supervisorPid } = daemonState(files, program);
  if (supervisorPid !== undefined) await stopProcess(supervisorPid);
  if (pid !== undefined) await stopProcess(pid);
  rmSync(files.pid, { force: true });
  rmSync(files.supervisorPid, { force: true });
}

/** Ends one process. */
export async function stopProcess(pid: number): Promise<void> {
  if (!signal(pid, 'SIGTERM')) return;
  try {
    await waitFor(`process ${pid} to end`, () => !signal(pid, 0), { timeoutMs: 5000, everyMs: 5 });
  } catch {
    signal(pid, 'SIGKILL');
    await waitFor(`process ${pid} to end`, () => !signal(pid, 0), { timeoutMs: 5000, everyMs: 5 });
  }
}

/** The last line of a log that tells of a failure, for the message of a program that did not come up. */
export function lastFailure(path: string): string {
  try {
    const lines = readFileSync(path, 'utf8').trimEnd().split('\n');
    return lines.findLast((line) => /\b(Cannot|Error|error|fatal)\b/.test(line)) ?? lines.at(-1) ?? '';
  } catch {
    return '';
  }
}

export type Launch = {
  readonly lab: string;
  /** Absent: the namespace of this process. */
  readonly netns?: string | undefined;
  readonly command: readonly [string, ...string[]];
  readonly log: string;
  readonly env?: Readonly<Record<string, string>> | undefined;
};

/** Starts a program that outlives this process, with its output in a file; returns its process id. */
export async function startDetached({ lab, netns, command, log, env }: Launch): Promise<number> {
  const output = openSync(log, 'a', 0o600);
  try {
    const [program, ...args] = netns === undefined ? command : inside(netns, command);
    const child = spawn(program, args, {
      detached: true,
      env: labEnvironment(lab, env),
      stdio: ['ignore', output, output],
    });
    const pid = await started(child, program);
    child.unref();
    return pid;
  } finally {
    closeSync(output);
  }
}

function started(child: ChildProcess, program: string): Promise<number> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => reject(new Error(`Cannot start ${program}: ${error.message}`, { cause: error })));
    child.once('spawn', () => resolve(child.pid ?? 0));
  });
}
