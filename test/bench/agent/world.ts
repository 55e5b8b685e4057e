// A node with the agent, a gobgpd and local pods that real CNI calls have wired, in a cluster of some size.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gobgpdCommand } from '../../../bgp/gobgpd.ts';
import { type AgentNode, agentNode } from '../../support/agent-node.ts';
import { callAll, type Side, side } from '../cni/world.ts';
import type { Scope } from '../types.ts';
import { type ClusterSize, clusterObjects, localPod } from './objects.ts';

export type AgentWorld = {
  readonly agent: AgentNode;
  readonly pods: Side;
  /** Where the memory probe in the agent writes. */
  readonly probeReport: string;
};

const ROOT = join(import.meta.dirname, '..', '..', '..');
const IN_FLIGHT = 10;

/**
 * The pods are attached when it returns. The table is shared, so that others can change it. The agent was started before,
 * as on a node that was not installed just now: its sources are compiled.
 */
export async function agentWorld(scope: Scope, size: ClusterSize): Promise<AgentWorld> {
  const directory = mkdtempSync(join(tmpdir(), 'margay-bench-'));
  scope.after(() => rmSync(directory, { recursive: true }));
  const probeReport = join(directory, 'memory.json');
  process.env['MARGAY_BENCH_PROBE'] = probeReport;
  const execArgv = ['--import', join(import.meta.dirname, 'memory-probe.ts')];
  const agent = await agentNode(scope, { tableOwner: 'off' }, execArgv);
  const run = dirname(agent.controlSocket);
  startGobgpd(agent, run);
  await agent.start();
  await agent.kill();
  for (const object of clusterObjects(size)) await agent.create(object);
  await agent.start();
  const pods = side(scope, {
    name: 'ours',
    netns: agent.netns,
    pods: size.local,
    directory,
    program: join(ROOT, '.build', 'margay'),
    conf: { type: 'margay', agentSocket: join(run, 'cni.sock'), spoolDirectory: join(run, '..', 'state', 'cni-spool') },
    nameOf: localPod,
  });
  callAll(pods, 'ADD', { to: size.local, inFlight: IN_FLIGHT });
  return { agent, pods, probeReport };
}

function startGobgpd({ netns }: AgentNode, run: string): void {
  const socketPath = join(run, 'gobgp', 'gobgp.sock');
  mkdirSync(dirname(socketPath), { recursive: true, mode: 0o700 });
  const { command, args, env } = gobgpdCommand({ socketPath });
  netns.spawn(command, args, { stdio: 'ignore', env: { ...process.env, ...env } });
}
