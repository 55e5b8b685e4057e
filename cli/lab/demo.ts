// `margay lab demo`.
import type { Command } from 'commander';
import type { TorKind } from '../../lab/spec.ts';
import { interruptible, printJson, requireRoot, withName, withShape } from './options.ts';

type Options = {
  readonly name: string;
  readonly nodes: number;
  readonly tor: TorKind;
  readonly keep?: true;
  readonly json?: true;
};

export function registerLabDemo(lab: Command): void {
  const command = lab
    .command('demo')
    .description('build a cluster, apply policies step by step, and compare every connection with what should be')
    .option('--keep', 'leave the lab running')
    .option('--json', 'print one JSON document');
  withShape(withName(command, 'demo')).action(run);
}

async function run({ name, nodes, tor, keep, json }: Options): Promise<void> {
  requireRoot('run the demo');
  const { demo } = await import('../../lab/demo/demo.ts');
  const { printReport, printStep } = await import('../../lab/demo/print.ts');
  const report = await interruptible((signal) =>
    demo({
      name,
      nodes,
      tor,
      after: keep === true ? 'keep' : 'remove',
      progress: (line) => console.error(`margay: ${line}`),
      onStep: (step) => json === true || console.log(printStep(step)),
      signal,
    }),
  );
  if (json === true) printJson(report);
  else console.log(printReport(report));
  if (json === true && report.error !== undefined) console.error(`margay: ${report.error}`);
  process.exitCode = report.ok ? 0 : 1;
}
