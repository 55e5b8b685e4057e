// A whole cluster from nothing, each time in a process of its own: time, peak memory, and how both grow.
import { execFileSync } from 'node:child_process';
import { join } from 'node:path';
import { type Goal, resultOf } from '../results.ts';
import type { Bench, Result } from '../types.ts';
import type { ComputeReport } from './compute-child.ts';

/** Antrea's own figures for its controller, on its authors' machine (networkpolicy_controller_perf_test.go). */
const GOALS = {
  seconds: { text: '<= 6 s', met: ({ ours }) => ours.p50 <= 6 },
  gigabytes: { text: '<= 1.5 GB', met: ({ ours }) => ours.p50 <= 1.5 },
  growth: { text: 'exponent < 1.2', met: ({ ours }) => ours.p50 < 1.2 },
} as const satisfies Record<string, Goal>;

export const compute: Bench = {
  name: 'compute',
  run: async ({ scale }) => {
    const [namespaces, rounds] = scale === 'full' ? [25_000, 3] : [160, 1];
    const sizes = [namespaces / 16, namespaces / 4, namespaces].map(Math.round);
    const whole = new Map<number, ComputeReport[]>(sizes.map((size) => [size, []]));
    const node: ComputeReport[] = [];
    const table: ComputeReport[] = [];
    for (let round = 0; round < rounds; round++) {
      for (const size of sizes) whole.get(size)?.push(runChild(size, 'all', 'model'));
      node.push(runChild(namespaces, 'node', 'table'));
    }
    table.push(runChild(namespaces, 'all', 'table'));
    return [
      ...sizes.flatMap((size) => linesOf(size, whole.get(size) ?? [], size === namespaces)),
      growth(sizes, whole),
      resultOf({ name: `${title(namespaces)}: one node of 1000, rules too`, unit: 's', ours: seconds(node) }),
      resultOf({ name: `${title(namespaces)}: all, rules too`, unit: 's', ours: seconds(table) }),
      resultOf({ name: `${title(namespaces)}: all, rules too, peak RSS`, unit: 'GB', ours: gigabytes(table) }),
    ];
  },
};

const title = (namespaces: number): string =>
  `${count(namespaces)} namespaces, ${count(namespaces * 3)} policies, ${count(namespaces * 4)} pods`;

const count = (value: number): string => (value >= 10_000 ? `${Math.round(value / 1000)}k` : String(value));

function linesOf(size: number, reports: readonly ComputeReport[], isWhole: boolean): readonly Result[] {
  const goal = isWhole ? { seconds: { goal: GOALS.seconds }, bytes: { goal: GOALS.gigabytes } } : {};
  return [
    resultOf({
      name: `${title(size)}: all sets, chains, profiles`,
      unit: 's',
      ours: seconds(reports),
      ...goal.seconds,
    }),
    resultOf({ name: `${title(size)}: the same, processor time`, unit: 's', ours: processorSeconds(reports) }),
    resultOf({ name: `${title(size)}: the same, peak RSS`, unit: 'GB', ours: gigabytes(reports), ...goal.bytes }),
  ];
}

// b of a*N^b between the smallest and the largest size, by the fastest run of each: other load only ever adds.
function growth(sizes: readonly number[], reports: ReadonlyMap<number, readonly ComputeReport[]>): Result {
  const best = (size: number): number => Math.min(...(reports.get(size) ?? []).map(({ cpuMs }) => cpuMs));
  const [small = 1, large = 1] = [sizes[0], sizes.at(-1)];
  const exponent = Math.log(best(large) / best(small)) / Math.log(large / small);
  return resultOf({
    name: 'growth of processor time, N/16 to N',
    unit: 'exponent',
    ours: [exponent],
    goal: GOALS.growth,
  });
}

const seconds = (reports: readonly ComputeReport[]): readonly number[] => reports.map(({ ms }) => ms / 1000);

const processorSeconds = (reports: readonly ComputeReport[]): readonly number[] =>
  reports.map(({ cpuMs }) => cpuMs / 1000);

const gigabytes = (reports: readonly ComputeReport[]): readonly number[] =>
  reports.map(({ peakBytes }) => peakBytes / 1e9);

function runChild(namespaces: number, which: 'all' | 'node', how: 'model' | 'table'): ComputeReport {
  const args = [join(import.meta.dirname, 'compute-child.ts'), String(namespaces), which, how];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: 'utf8' })) as ComputeReport;
}
