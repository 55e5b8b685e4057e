// The gobgpd beside a test's agent, at the socket where the agent looks for it, under the control of the test.
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { type GobgpdOptions, gobgpdCommand } from '../../bgp/gobgpd.ts';
import type { AgentNode } from './agent-node.ts';

export type AgentGobgpd = {
  readonly socketPath: string;
  /** Of the one that was started last. */
  readonly pid: () => number;
  /** Ends it as a crash does, if it runs. */
  readonly crash: () => Promise<void>;
  readonly start: () => void;
  readonly log: () => string;
};

/** Starts it. */
export function startAgentGobgpd(
  { netns, controlSocket }: AgentNode,
  options: Pick<GobgpdOptions, 'program' | 'logLevel'> = {},
): AgentGobgpd {
  const folder = join(dirname(controlSocket), 'gobgp');
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  const socketPath = join(folder, 'gobgp.sock');
  const logFile = join(folder, 'gobgpd.log');
  const { command, args, env } = gobgpdCommand({ ...options, socketPath });
  const log = openSync(logFile, 'a');
  const start = (): ChildProcess => {
    rmSync(socketPath, { force: true });
    return netns.spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', log, log] });
  };
  let daemon = start();
  return {
    socketPath,
    pid: () => {
      if (daemon.pid === undefined) throw new Error(`Cannot tell the process id of "${command}": it was not started`);
      return daemon.pid;
    },
    crash: async () => {
      if (daemon.exitCode !== null || daemon.signalCode !== null) return;
      const ended = new Promise((resolve) => daemon.once('exit', resolve));
      daemon.kill('SIGKILL');
      await ended;
    },
    start: () => {
      daemon = start();
    },
    log: () => readFileSync(logFile, 'utf8'),
  };
}
