// Runs one group of benchmarks: `node main.ts GROUP [--json] [--quick] [--only TEXT]`. The report goes to standard output,
// progress to standard error. Everything happens in network namespaces that the benchmarks make and remove.
import { readFileSync } from 'node:fs';
import { cpus, loadavg, release } from 'node:os';
import { parseArgs } from 'node:util';
import { agentBenches } from './agent/benches.ts';
import { bgpBenches } from './bgp/benches.ts';
import { cniBenches } from './cni/benches.ts';
import { policyBenches } from './policy/benches.ts';
import { printReport } from './print-report.ts';
import type { Bench, Report, Result, Scale } from './types.ts';

const GROUPS: Readonly<Record<string, readonly Bench[]>> = {
  policy: policyBenches,
  cni: cniBenches,
  agent: agentBenches,
  bgp: bgpBenches,
};

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean' }, quick: { type: 'boolean' }, only: { type: 'string', default: '' } },
});
const [group = ''] = positionals;
const benches = Object.hasOwn(GROUPS, group) ? GROUPS[group] : undefined;
if (benches === undefined) {
  console.error(`Cannot run benchmark group "${group}": unknown, expected ${Object.keys(GROUPS).join(' or ')}`);
  process.exit(1);
}
const chosen = benches.filter(({ name }) => name.includes(values.only));
if (chosen.length === 0) {
  const names = benches.map(({ name }) => `"${name}"`).join(', ');
  console.error(
    `margay: Cannot run benchmarks "${values.only}" of group "${group}": none is called so, expected a part of ${names}`,
  );
  process.exit(1);
}
const report = await runAll(chosen, values.quick ? 'quick' : 'full');
console.log(values.json ? JSON.stringify(report) : printReport(report));
// The JSON says in `met` what was reached; a figure that misses its goal is no failure of the run.
process.exit(0);

async function runAll(chosen: readonly Bench[], scale: Scale): Promise<Report> {
  const loadBefore = loadavg()[0] ?? 0;
  const results: Result[] = [];
  for (const bench of chosen) {
    console.error(`margay bench: ${bench.name}`);
    results.push(...(await runOne(bench, scale)));
  }
  const load = Math.round(Math.max(loadBefore, loadavg()[0] ?? 0) * 100) / 100;
  return { machine: { cpu: cpuName(), kernel: release(), load }, results };
}

async function runOne(bench: Bench, scale: Scale): Promise<readonly Result[]> {
  const actions: (() => void)[] = [];
  try {
    return await bench.run({ scope: { after: (action) => actions.push(action) }, scale });
  } finally {
    for (const action of actions.reverse()) action();
  }
}

function cpuName(): string {
  const model = /^model name\s*:\s*(.*)$/m.exec(readFileSync('/proc/cpuinfo', 'utf8'))?.[1] ?? process.arch;
  return `${cpus().length} x ${model}`;
}
