// A node for tests of cni/: a namespace with an agent of test/support/cni-agent.ts in it, and the real CNI executable to
// call it with.
import assert from 'node:assert/strict';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import type { AgentCommand, AgentConfig } from './cni-agent.ts';
import { type CniCaller, cniCaller } from './cni-call.ts';
import { type TestNetns, testNetns } from './netns.ts';

export { type CniCall, type CniOutcome, cniExecutable } from './cni-call.ts';

export type CniNode = CniCaller & {
  readonly netns: TestNetns;
  readonly folder: string;
  readonly config: AgentConfig;
  readonly agent: () => Agent;
  /** Starts the agent (again). */
  readonly startAgent: (options?: Pick<AgentConfig, 'replayEveryMs'>) => Promise<Agent>;
};

export type Agent = {
  readonly process: ChildProcess;
  /** What it said when it was ready. */
  readonly ready: Readonly<Record<string, unknown>>;
  readonly tell: (command: AgentCommand) => Promise<unknown>;
  /** The next line that it says by itself. */
  readonly line: () => Promise<unknown>;
  readonly kill: (signal: NodeJS.Signals) => Promise<void>;
};

export async function cniNode(t: TestContext, pools: readonly string[] = ['10.244.0.0/16']): Promise<CniNode> {
  const netns = await testNetns(t, 'node');
  const folder = mkdtempSync(join(tmpdir(), 'margay-cni-'));
  const path = (name: string) => join(folder, name);
  const config = {
    socket: path('cni.sock'),
    spool: path('spool'),
    journal: path('journal'),
    store: path('store'),
    pools,
  };
  let agent: Agent | undefined;
  t.after(async () => {
    await agent?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    netns,
    folder,
    config,
    ...cniCaller(config),
    agent: () => agent ?? assert.fail('no agent'),
    startAgent: async (options) => {
      agent = await startAgent(netns, { ...config, ...options });
      return agent;
    },
  };
}

async function startAgent(netns: TestNetns, config: AgentConfig): Promise<Agent> {
  const script = join(import.meta.dirname, 'cni-agent.ts');
  const child = netns.spawn(process.execPath, [script, JSON.stringify(config)], {
    stdio: ['pipe', 'pipe', process.env['MARGAY_LOG'] === undefined ? 'ignore' : 'inherit'],
  });
  const lines: unknown[] = [];
  createInterface({ input: child.stdout ?? assert.fail('no pipe') }).on('line', (line) => lines.push(JSON.parse(line)));
  const line = () => waitFor('a line of the agent', () => lines.shift(), { timeoutMs: 30_000, everyMs: 2 });
  const ready = await line();
  return {
    process: child,
    ready: ready as Readonly<Record<string, unknown>>,
    line,
    tell: async (command) => {
      child.stdin?.write(`${JSON.stringify(command)}\n`);
      return await line();
    },
    kill: async (signal) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = once(child, 'close');
      child.kill(signal);
      await gone;
    },
  };
}
