// `margay lab …`: a cluster on this machine, in network namespaces, to look at and to play with.
import type { Command } from 'commander';
import { registerLabAgent } from './lab/agent.ts';
import { registerLabDemo } from './lab/demo.ts';
import { registerLabExec } from './lab/exec.ts';
import { registerLabMatrix } from './lab/matrix.ts';
import { registerLabPod } from './lab/pod.ts';
import { registerLabStatus } from './lab/status.ts';
import { registerLabUp } from './lab/up.ts';

export function registerLab(program: Command): void {
  // What follows the pod or node that a command is to run in belongs to that command, on every level.
  program.enablePositionalOptions();
  const lab = program
    .command('lab')
    .description('a cluster on this machine, in network namespaces')
    .enablePositionalOptions();
  for (const register of [
    registerLabDemo,
    registerLabUp,
    registerLabStatus,
    registerLabPod,
    registerLabExec,
    registerLabAgent,
    registerLabMatrix,
  ]) {
    register(lab);
  }
}
