// A node for tests of cni/: a namespace with an agent of test/support/cni-agent.ts in it, and the real CNI executable to
// call it with.
import assert from 'node:assert/strict';
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import type { AgentCommand, AgentConfig } from './cni-agent.ts';
import { type TestNetns, testNetns } from './netns.ts';

export type CniCall = {
  readonly command?: string;
  readonly containerId?: string;
  readonly netns?: string;
  readonly pod?: string;
  readonly ifName?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  /** In place of `config`. */
  readonly stdin?: string | Uint8Array;
  readonly environment?: Readonly<Record<string, string>>;
};

export type CniOutcome = { readonly exitCode: number | null; readonly stdout: string; readonly ms: number };

export type CniNode = {
  readonly netns: TestNetns;
  readonly folder: string;
  readonly config: AgentConfig;
  readonly agent: () => Agent;
  /** Starts the agent (again). */
  readonly startAgent: () => Promise<Agent>;
  readonly call: (call: CniCall) => Promise<CniOutcome>;
  readonly callProcess: (call: CniCall) => ChildProcess;
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

const ROOT = join(import.meta.dirname, '../..');
let built: string | undefined;

/** The CNI executable, compiled when needed. */
export function cniExecutable(): string {
  if (built === undefined) execFileSync(join(ROOT, 'cni/shim/build.sh'), { stdio: ['ignore', 'ignore', 'inherit'] });
  built = join(ROOT, '.build/margay');
  return built;
}

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
  const callProcess = (call: CniCall) => startCall(config, call);
  return {
    netns,
    folder,
    config,
    callProcess,
    agent: () => agent ?? assert.fail('no agent'),
    startAgent: async () => {
      agent = await startAgent(netns, config);
      return agent;
    },
    call: async (call) => {
      const begin = performance.now();
      const child = callProcess(call);
      const chunks: Buffer[] = [];
      child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
      const [exitCode] = await once(child, 'close');
      return { exitCode, stdout: Buffer.concat(chunks).toString(), ms: performance.now() - begin };
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

function startCall({ socket, spool }: AgentConfig, call: CniCall): ChildProcess {
  const { command, containerId, netns, pod, ifName = 'eth0', environment = {} } = call;
  const config = {
    cniVersion: '1.1.0',
    name: 'margay',
    type: 'margay',
    agentSocket: socket,
    spoolDirectory: spool,
    ...call.config,
  };
  const env = {
    ...(command === undefined ? {} : { CNI_COMMAND: command }),
    ...(containerId === undefined ? {} : { CNI_CONTAINERID: containerId }),
    ...(netns === undefined ? {} : { CNI_NETNS: netns }),
    ...(pod === undefined ? {} : { CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=${pod}` }),
    CNI_IFNAME: ifName,
    CNI_PATH: '/opt/cni/bin',
    ...environment,
  };
  const child = spawn(cniExecutable(), [], { env, stdio: ['pipe', 'pipe', 'inherit'] });
  // The executable may answer before it has read all of it.
  child.stdin.on('error', () => undefined);
  child.stdin.end(call.stdin ?? JSON.stringify(config));
  return child;
}
