// `margay lab matrix`.
import type { Command } from 'commander';
import { isAsExpected, printCells } from '../../lab/cell.ts';
import { readRelevant, worldOf } from '../../lab/expected.ts';
import { observe, planMatrix } from '../../lab/matrix.ts';
import { parsePort } from '../../lab/pods.ts';
import { requireLab } from '../../lab/state.ts';
import { type NameOption, orThrow, printJson, requireRoot, withName, withStore } from './options.ts';

type Options = NameOption & { readonly json?: true; readonly port?: string };

export function registerLabMatrix(lab: Command): void {
  const command = lab
    .command('matrix')
    .description('connect every pod with every other, and compare with what the policies say')
    .option('--port <port>', 'this port of every pod, as 80/tcp, instead of those they declare')
    .option('--json', 'print one JSON document');
  withName(command).action(run);
}

const NO_CELLS =
  'No cells: fewer than two running pods, or none declares a port, expected --port 80/tcp, or --port of "lab pod run"';

async function run({ name, json, port }: Options): Promise<void> {
  requireRoot('connect from pods');
  const lab = requireLab(name);
  const only = port === undefined ? undefined : orThrow(parsePort)(port);
  const objects = await withStore(name, readRelevant);
  const pods = objects.filter((object) => object.kind === 'Pod');
  const cells = await observe(lab.name, planMatrix(worldOf(objects), pods, { port: only }));
  const idle = pods.filter(({ status }) => status?.phase !== 'Running');
  if (idle.length > 0) {
    const names = idle.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`).join(', ');
    console.error(`margay: left out, not running: ${names}`);
  }
  const isRight = cells.every(isAsExpected);
  if (json === true) printJson({ ok: isRight, cells });
  else if (cells.length === 0) console.log(NO_CELLS);
  else console.log(printCells(cells));
  process.exitCode = isRight ? 0 : 1;
}
