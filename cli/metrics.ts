// `margay metrics`: what a monitoring system reads of an agent, in the text format of Prometheus.
import type { Command } from 'commander';
import { controlSockets } from './bgp/ask-nodes.ts';
import { askAgent } from './ipam/ask-agent.ts';

type MetricsOptions = { readonly lab?: string; readonly agent?: readonly string[] };

export function registerMetrics(program: Command): void {
  program
    .command('metrics')
    .description('metrics of an agent, in the text format of Prometheus')
    .option('--lab <name>', 'lab whose nodes are asked (default: MARGAY_LAB, else "default")')
    .option('--agent <socket...>', "control sockets of the agents to ask (default: the lab's, else this machine's)")
    .action(metrics);
}

async function metrics(options: MetricsOptions): Promise<void> {
  const sockets = controlSockets(options);
  for (const socket of sockets) {
    if (sockets.length > 1) console.log(`# ${socket}`);
    process.stdout.write(await askAgent(socket, 'GET', '/metrics'));
  }
}
