// Runs a real program as cheaply as it can be run: posix_spawn(3) and waitpid(2) without pipes and shells, in the network
// namespace that the calling thread is in. What a Node.js child process would add is not the other program's fault.
import koffi from 'koffi';

const libc = koffi.load(null);
const posixSpawn = libc.func(
  'int posix_spawnp(void *pid, const char *file, void *actions, void *attributes, const char **argv, const char **envp)',
) as (pid: Buffer, file: string, actions: Buffer | null, attributes: null, argv: Argv, envp: Argv) => number;
const actionsInit = libc.func('int posix_spawn_file_actions_init(void *actions)') as (actions: Buffer) => number;
const actionsOpen = libc.func(
  'int posix_spawn_file_actions_addopen(void *actions, int fd, const char *path, int flags, unsigned int mode)',
) as (actions: Buffer, fd: number, path: string, flags: number, mode: number) => number;
const actionsDestroy = libc.func('int posix_spawn_file_actions_destroy(void *actions)') as (actions: Buffer) => number;
const waitpid = libc.func('int waitpid(int pid, void *status, int options)') as (
  pid: number,
  status: Buffer,
  options: number,
) => number;

type Argv = readonly (string | null)[];
const WNOHANG = 1;
const ANY_CHILD = -1;
const O_RDONLY = 0;
const O_WRONLY_CREAT_TRUNC = 0o1 | 0o100 | 0o1000;
/** posix_spawn_file_actions_t has 80 bytes in glibc and in musl. */
const ACTIONS_BYTES = 256;

export type Program = {
  readonly file: string;
  readonly args?: readonly string[];
  /** Besides PATH. */
  readonly env?: Readonly<Record<string, string>>;
  /** Paths of standard input and output; absent: those of this process. */
  readonly stdin?: string;
  readonly stdout?: string;
};

export type Started = {
  /** Waits for the end. @throws Error when the exit code is not 0 */
  readonly wait: () => void;
  /** Whether it has ended. @throws Error when the exit code is not 0 */
  readonly ended: () => boolean;
};

/** @throws Error when there is no such program */
export const start = (file: string, ...args: readonly string[]): Started => startProgram({ file, args });

/** Runs to the end. @throws Error when the exit code is not 0 */
export const run = (file: string, ...args: readonly string[]): void => runProgram({ file, args });

/** Runs to the end. @throws Error when the exit code is not 0 */
export const runProgram = (program: Program): void => startProgram(program).wait();

/** @throws Error when there is no such program */
export function startProgram(program: Program): Started {
  const pid = spawn(program);
  const status = Buffer.alloc(4);
  let done = false;
  const reap = (options: number): boolean => {
    if (done) return true;
    if (waitpid(pid, status, options) === 0) return false;
    done = true;
    checkStatus(program, status);
    return true;
  };
  return {
    wait: () => {
      reap(0);
    },
    ended: () => reap(WNOHANG),
  };
}

/**
 * Runs all programs, `inFlight` of them at a time. Nothing else that this process has started may end meanwhile.
 * @throws Error when an exit code is not 0
 */
export function runMany(programs: readonly Program[], inFlight: number): void {
  const running = new Map<number, Program>();
  const status = Buffer.alloc(4);
  const reap = (): void => {
    const pid = waitpid(ANY_CHILD, status, 0);
    const program = running.get(pid);
    if (program === undefined) throw new Error(`Cannot wait for programs: process ${pid} ended, expected one of them`);
    running.delete(pid);
    checkStatus(program, status);
  };
  for (const program of programs) {
    if (running.size >= inFlight) reap();
    running.set(spawn(program), program);
  }
  while (running.size > 0) reap();
}

function spawn({ file, args = [], env = {}, stdin, stdout }: Program): number {
  const pid = Buffer.alloc(4);
  const variables = Object.entries(env).map(([name, value]) => `${name}=${value}`);
  const envp = [`PATH=${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, ...variables, null];
  const actions = Buffer.alloc(ACTIONS_BYTES);
  actionsInit(actions);
  if (stdin !== undefined) actionsOpen(actions, 0, stdin, O_RDONLY, 0);
  if (stdout !== undefined) actionsOpen(actions, 1, stdout, O_WRONLY_CREAT_TRUNC, 0o600);
  const errno = posixSpawn(pid, file, actions, null, [file, ...args, null], envp);
  actionsDestroy(actions);
  if (errno !== 0) throw new Error(`Cannot run "${file}": error ${errno}, expected a program`);
  return pid.readInt32LE();
}

function checkStatus({ file, args = [] }: Program, status: Buffer): void {
  if (status.readInt32LE() === 0) return;
  throw new Error(`Cannot run "${[file, ...args].join(' ')}": wait status ${status.readInt32LE()}, expected 0`);
}
