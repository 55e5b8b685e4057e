// Loaded into the agent's process before the agent, by `--import`: counts what the agent does and cannot be seen from
// outside. On SIGUSR2 it writes what happened since the last time into the file of MARGAY_BENCH_PROBE, and begins anew.
import childProcess from 'node:child_process';
import { renameSync, writeFileSync } from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import koffi from 'koffi';

export type ProbeReport = {
  /** Longest time in which the event loop could not turn, in milliseconds. */
  readonly loopBlockedMs: number;
  /** Datagrams sent to netlink sockets, and their bytes. */
  readonly netlinkSends: number;
  readonly netlinkBytes: number;
  /** Programs started. */
  readonly execs: number;
};

const RESOLUTION_MS = 1;
const path = process.env['MARGAY_BENCH_PROBE'] ?? '';
const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
let counts = { netlinkSends: 0, netlinkBytes: 0, execs: 0 };

countSends();
countExecs();
delay.enable();
process.on('SIGUSR2', () => {
  const report: ProbeReport = { loopBlockedMs: Math.max(0, delay.max / 1e6 - RESOLUTION_MS), ...counts };
  counts = { netlinkSends: 0, netlinkBytes: 0, execs: 0 };
  delay.reset();
  writeFileSync(`${path}.new`, JSON.stringify(report));
  renameSync(`${path}.new`, path);
});

// All of the agent's netlink sockets send by this function of libc, and nothing else does.
function countSends(): void {
  const load = koffi.load;
  koffi.load = (...args: Parameters<typeof load>) => {
    const library = load(...args);
    const func = (...definition: readonly unknown[]): unknown => {
      const real: Callable = Reflect.apply(library.func, library, definition);
      return String(definition[0]).includes(' send(') ? counted(real) : real;
    };
    return new Proxy(library, { get: (_, name) => (name === 'func' ? func : Reflect.get(library, name)) });
  };
}

function counted(real: Callable): Callable {
  const count = (length: unknown): void => {
    counts.netlinkSends++;
    counts.netlinkBytes += Number(length);
  };
  const send = (...args: readonly unknown[]): unknown => {
    count(args[2]);
    return real(...args);
  };
  const async = (...args: readonly unknown[]): void => {
    count(args[2]);
    real.async(...args);
  };
  return Object.assign(send, { async });
}

type Callable = {
  (...args: readonly unknown[]): unknown;
  readonly async: (...args: readonly unknown[]) => void;
};

function countExecs(): void {
  for (const name of ['spawn', 'spawnSync', 'exec', 'execSync', 'execFile', 'execFileSync', 'fork'] as const) {
    const real = childProcess[name] as (...args: readonly unknown[]) => unknown;
    Object.assign(childProcess, {
      [name]: (...args: readonly unknown[]) => {
        counts.execs++;
        return real(...args);
      },
    });
  }
  syncBuiltinESMExports();
}
