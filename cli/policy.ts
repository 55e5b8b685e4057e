// `margay policy …`: what policies mean, from manifests alone or from a running agent.
import type { Command } from 'commander';
import { registerPolicyCompile } from './policy/compile.ts';
import { registerPolicyMatrix } from './policy/matrix.ts';
import { registerPolicyVerdict } from './policy/verdict.ts';

export function registerPolicy(program: Command): void {
  const policy = program
    .command('policy')
    .description('what policies do to pods, from manifests or from a running agent');
  for (const register of [registerPolicyCompile, registerPolicyVerdict, registerPolicyMatrix]) register(policy);
}
