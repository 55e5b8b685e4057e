// `margay lab agent stop` and `margay lab agent start`: a node without its agent, to see what goes on working.
import type { Command } from 'commander';
import { agentStatus, startAgent, stopAgent } from '../../lab/agent.ts';
import { daemonState } from '../../lab/daemon.ts';
import { nodeFiles } from '../../lab/paths.ts';
import { requireLab } from '../../lab/state.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { type NameOption, requireRoot, withName } from './options.ts';

export function registerLabAgent(lab: Command): void {
  const agent = lab.command('agent').description("stop and start a node's agent");
  const stopping = agent.command('stop <node>').description('stop the agent of a node');
  const starting = agent.command('start <node>').description('start the agent of a node and wait until it is ready');
  withName(stopping).action(stop);
  withName(starting).action(start);
}

async function stop(node: string, { name: lab }: NameOption): Promise<void> {
  requireNode(lab, node);
  await stopAgent(lab, node);
  console.log(`agent of ${node} stopped`);
}

async function start(node: string, { name: lab }: NameOption): Promise<void> {
  requireNode(lab, node);
  const { supervisorPid } = daemonState(nodeFiles(lab, node).agent, 'felix/main.ts');
  if (supervisorPid === undefined) {
    await stopAgent(lab, node); // One that a killed supervisor left would be a second one.
    await startAgent(lab, node);
  }
  await waitFor(`the agent of ${node}`, async () => (await agentStatus(lab, node))?.ready === true, {
    timeoutMs: 30_000,
  });
  console.log(supervisorPid === undefined ? `agent of ${node} started` : `agent of ${node} runs already`);
}

function requireNode(lab: string, node: string): void {
  requireRoot('stop or start an agent');
  const names = requireLab(lab).nodes.map(({ name }) => name);
  if (names.includes(node)) return;
  throw new Error(`Cannot find node "${node}": not in lab "${lab}", expected one of ${names.join(', ')}`);
}
