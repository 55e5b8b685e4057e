// `margay lab up` and `margay lab down`.
import type { Command } from 'commander';
import { down } from '../../lab/down.ts';
import { waitForRoutes } from '../../lab/ready.ts';
import type { TorKind } from '../../lab/spec.ts';
import { labStatus, printStatus } from '../../lab/status.ts';
import { up } from '../../lab/up.ts';
import { interruptible, type NameOption, requireRoot, withName, withShape } from './options.ts';

export function registerLabUp(lab: Command): void {
  withShape(withName(lab.command('up').description('start a cluster'))).action(runUp);
  withName(lab.command('down').description('remove a cluster, whatever is left of it')).action(runDown);
}

async function runUp({ name, nodes, tor }: NameOption & { nodes: number; tor: TorKind }): Promise<void> {
  requireRoot('start a lab');
  const progress = (line: string): void => console.error(`margay: ${line}`);
  const status = await interruptible(async (signal) => {
    const spec = await up({ name, nodes, tor, progress, signal });
    progress('waiting for BGP sessions');
    try {
      await waitForRoutes(spec, signal);
    } catch (error) {
      // Without all sessions it can still be played with and looked into; interrupted, it is not wanted.
      if (!signal.aborted) throw error;
      await down(name);
      throw error;
    }
    return labStatus(spec);
  });
  console.log(printStatus(status));
}

async function runDown({ name }: NameOption): Promise<void> {
  requireRoot('remove a lab');
  const outcome = await down(name);
  console.log(outcome === 'removed' ? `Lab ${name} removed` : `Lab ${name} was not there`);
}
