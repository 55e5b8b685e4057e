// Runs a real program as cheaply as it can be run: posix_spawn(3) and waitpid(2) without pipes and shells, in the network
// namespace that the calling thread is in. What a Node.js child process would add is not the other program's fault.
import koffi from 'koffi';

const libc = koffi.load(null);
const posixSpawn = libc.func(
  'int posix_spawnp(void *pid, const char *file, void *actions, void *attributes, const char **argv, const char **envp)',
) as (pid: Buffer, file: string, actions: null, attributes: null, argv: Argv, envp: Argv) => number;
const waitpid = libc.func('int waitpid(int pid, void *status, int options)') as (
  pid: number,
  status: Buffer,
  options: number,
) => number;

type Argv = readonly (string | null)[];
const WNOHANG = 1;

export type Started = {
  /** Waits for the end. @throws Error when the exit code is not 0 */
  readonly wait: () => void;
  /** Whether it has ended. @throws Error when the exit code is not 0 */
  readonly ended: () => boolean;
};

/** @throws Error when there is no such program */
export function start(file: string, ...args: readonly string[]): Started {
  const pid = Buffer.alloc(4);
  const env = [`PATH=${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`, null];
  const errno = posixSpawn(pid, file, null, null, [file, ...args, null], env);
  if (errno !== 0) throw new Error(`Cannot run "${file}": error ${errno}, expected a program`);
  const status = Buffer.alloc(4);
  let done = false;
  const reap = (options: number): boolean => {
    if (done) return true;
    if (waitpid(pid.readInt32LE(), status, options) === 0) return false;
    done = true;
    if (status.readInt32LE() !== 0) {
      throw new Error(`Cannot run "${file} ${args.join(' ')}": wait status ${status.readInt32LE()}, expected 0`);
    }
    return true;
  };
  return {
    wait: () => {
      reap(0);
    },
    ended: () => reap(WNOHANG),
  };
}

/** Runs to the end. @throws Error when the exit code is not 0 */
export const run = (file: string, ...args: readonly string[]): void => start(file, ...args).wait();
