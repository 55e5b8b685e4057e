// Network namespaces for tests: made here, gone when the test ends, and swept by the next run if the process was killed.
// Their names carry the id of the process that made them.
import { type ChildProcess, execFile, execFileSync, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { promisify } from 'node:util';

const run = promisify(execFile);
const PREFIX = 'mgyt-';
let count = 0;

export type TestNetns = {
  readonly name: string;
  /** The bind mount under /run/netns. */
  readonly path: string;
  /** Runs a program in the namespace and returns its standard output; rejects when it fails or takes over 20 s. */
  readonly exec: (command: string, ...args: readonly string[]) => Promise<string>;
  /** Starts a program in the namespace; it is killed when the test ends. */
  readonly spawn: (command: string, args: readonly string[], options?: SpawnOptions) => ChildProcess;
};

/** A new namespace with `lo` up, removed after `t` (a test, say) together with every process in it. */
export async function testNetns(t: { readonly after: (action: () => void) => void }, label = 'ns'): Promise<TestNetns> {
  if (count === 0) sweep();
  const name = `${PREFIX}${process.pid}-${count++}-${label}`;
  const path = `/run/netns/${name}`;
  await run('ip', ['netns', 'add', name]);
  t.after(() => remove(name));
  const enter = [`--net=${path}`, '--'];
  const exec = async (command: string, ...args: readonly string[]): Promise<string> =>
    (await run('nsenter', [...enter, command, ...args], { timeout: 20_000, maxBuffer: 1 << 28 })).stdout;
  await exec('ip', 'link', 'set', 'lo', 'up');
  return {
    name,
    path,
    exec,
    spawn: (command, args, options = {}) => spawn('nsenter', [...enter, command, ...args], options),
  };
}

function remove(name: string): void {
  for (const pid of execFileSync('ip', ['netns', 'pids', name], { encoding: 'utf8' }).split('\n')) {
    if (pid === '' || Number(pid) === process.pid) continue;
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch {
      // It ended by itself in the meantime.
    }
  }
  execFileSync('ip', ['netns', 'del', name]);
}

/** Removes what killed test processes left behind. */
function sweep(): void {
  if (!existsSync('/run/netns')) return;
  for (const name of readdirSync('/run/netns')) {
    const owner = name.startsWith(PREFIX) ? name.split('-')[1] : undefined;
    if (owner === undefined || existsSync(`/proc/${owner}`)) continue;
    try {
      remove(name);
    } catch (error) {
      // Its owner removed it before it ended, or another test sweeps as well.
      if (existsSync(`/run/netns/${name}`)) throw error;
    }
  }
}
