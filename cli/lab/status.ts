// `margay lab status`.
import type { Command } from 'commander';
import { requireLab } from '../../lab/state.ts';
import { labStatus, printStatus } from '../../lab/status.ts';
import { type NameOption, printJson, requireRoot, withName } from './options.ts';

export function registerLabStatus(lab: Command): void {
  const command = lab
    .command('status')
    .description('name every namespace, process, socket, log and file of a lab')
    .option('--json', 'print one JSON document');
  withName(command).action(run);
}

async function run({ name, json }: NameOption & { json?: true }): Promise<void> {
  requireRoot('look into a lab');
  const status = await labStatus(requireLab(name));
  if (json === true) printJson(status);
  else console.log(printStatus(status));
}
