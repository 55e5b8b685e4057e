// `margay policy matrix`: who reaches whom, on paper. `margay lab matrix` asks the network itself.
import { type Command, Option } from 'commander';
import { compileWorld } from '../../felix/explain/compile-world.ts';
import { connectivityMatrix, type Matrix, type MatrixPort } from '../../felix/explain/matrix.ts';
import { parsePortSpec } from '../../felix/explain/verdict-query.ts';
import { createExplainer } from '../../felix/explain/verdict-report.ts';
import { unwrap } from '../../lib/result.ts';
import { type ObjectOptions, readObjects, reportObjects, withObjects } from './objects.ts';

type Options = ObjectOptions & {
  readonly port: readonly MatrixPort[];
  readonly family?: '4' | '6';
  readonly json?: true;
};

export function registerPolicyMatrix(policy: Command): void {
  const command = policy
    .command('matrix')
    .description('print who reaches whom, for each port')
    .addOption(
      new Option('--port <port>', '80/tcp, the name of a port, name/protocol, or icmp; may be repeated')
        .argParser(parsePort)
        .makeOptionMandatory(),
    )
    .addOption(new Option('--family <number>', 'addresses of this family').choices(['4', '6']))
    .option('--json', 'print one JSON document');
  withObjects(command, 'required').action(run);
}

function run(options: Options): void {
  const { port, family, json } = options;
  const objects = readObjects(options);
  reportObjects(objects, options);
  const { objects: table } = compileWorld(objects.resources, () => true);
  const explainer = createExplainer(objects.resources, table);
  const matrix = connectivityMatrix(explainer, port, family === undefined ? undefined : family === '4' ? 4 : 6);
  const { order, tables, disagreements } = matrix;
  console.log(json === true ? JSON.stringify({ order, tables }) : printMatrix(matrix, port));
  for (const disagreement of disagreements) console.error(`margay: defect: ${disagreement}`);
  if (disagreements.length > 0) process.exitCode = 2;
}

/** The table of a port is called as the port was written. */
function parsePort(text: string, earlier: readonly MatrixPort[] = []): readonly MatrixPort[] {
  return [...earlier, { text, port: unwrap(parsePortSpec(text)) }];
}

const LEGEND =
  'rows are sources, columns destinations: . allowed, X denied or no common family, # the pod itself, P no port of that name';

function printMatrix({ order, tables }: Matrix, ports: readonly MatrixPort[]): string {
  if (order.length === 0)
    return 'No pod has an address, expected Pods with status.podIP, as "margay get pods -A -o yaml" prints them';
  const digits = String(order.length).length;
  const width = Math.max(...order.map((key) => key.length)) + digits + 1;
  const name = (key: string, index: number): string => `${String(index + 1).padStart(digits)} ${key}`.padEnd(width);
  const signs = (texts: readonly string[]): string => texts.map((text) => text.padStart(digits + 1)).join('');
  const head = `${' '.repeat(width)}${signs(order.map((_, index) => String(index + 1)))}`;
  // In the order of the question, in which keys that are numbers do not stand.
  const blocks = [...new Set(ports.map(({ text }) => text))].map((port) => {
    const rows = tables[port] ?? [];
    const all = rows.join('');
    const allowed = [...all].filter((sign) => sign === '.').length;
    const lines = rows.map((row, index) => `${name(order[index] ?? '', index)}${signs([...row])}`);
    return [`${port}: ${allowed} of ${all.length - rows.length} allowed`, head, ...lines].join('\n');
  });
  return [...blocks, LEGEND].join('\n\n');
}
