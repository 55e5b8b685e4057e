// `margay test`: all test files of the project in one report. Types, lint and the import rules are tests too
// (test/rules), so this one command says whether the tree is good.
import { resolve } from 'node:path';
import { run } from 'node:test';
import { spec, type TestEvent } from 'node:test/reporters';
import type { Command } from 'commander';
import { findTests } from './find-tests.ts';
import { inPool } from './in-pool.ts';
import { joinRuns, type Totals } from './join-runs.ts';
import { sweepTestNamespaces } from './sweep-test-namespaces.ts';

const ROOT = resolve(import.meta.dirname, '..');
/** A file that takes longer than this hangs: it is ended and counts as failed. */
const FILE_TIMEOUT_MS = 240_000;
const SIDE_BY_SIDE = 3;
const SLOWEST = 15;

/** Adds `test [pattern…]`. */
export function registerTest(program: Command): void {
  program
    .command('test')
    .description('run the tests of the project')
    .argument('[pattern...]', 'run only the files whose path contains one of these')
    .action(runTests);
}

/** @throws Error when no file matches */
async function runTests(patterns: readonly string[]): Promise<void> {
  const { shared, alone } = findTests(ROOT, patterns);
  if (shared.length + alone.length === 0) {
    throw new Error(
      `Cannot find tests "${patterns.join(' ')}": no path contains it, expected part of a path to *.test.ts`,
    );
  }
  const stop = stopSignal();
  sweepTestNamespaces();
  const seconds = new Map<string, number>();
  const timed = async (file: string): Promise<readonly TestEvent[]> => {
    const began = performance.now();
    const events = await runFile(file, stop);
    seconds.set(file, (performance.now() - began) / 1000);
    return events;
  };
  const report = spec();
  report.pipe(process.stdout, { end: false });
  for await (const event of joinRuns(runAll(), (totals) => setExitCode(totals, stop))) {
    if (!report.write(event)) await new Promise((drained) => report.once('drain', drained));
  }
  process.stdout.write(slowest(seconds));
  report.end();
  await new Promise((ended) => report.once('end', ended));
  sweepTestNamespaces();

  async function* runAll(): AsyncGenerator<readonly TestEvent[], void> {
    yield* inPool(shared, SIDE_BY_SIDE, timed);
    yield* inPool(alone, 1, timed);
  }
}

/** The files that took longest, for whoever wants the run to be shorter. */
function slowest(seconds: ReadonlyMap<string, number>): string {
  const sorted = [...seconds].sort(([, a], [, b]) => b - a).slice(0, SLOWEST);
  const lines = sorted.map(([file, took]) => `${took.toFixed(1).padStart(7)} s  ${file}`);
  return `\nSlowest files\n${lines.join('\n')}\n\n`;
}

/** All events of one file, when it has ended. */
async function runFile(file: string, stop: AbortSignal): Promise<readonly TestEvent[]> {
  const events: TestEvent[] = [];
  const stream: AsyncIterable<TestEvent> = run({
    files: [resolve(ROOT, file)],
    cwd: ROOT,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    signal: AbortSignal.any([stop, AbortSignal.timeout(FILE_TIMEOUT_MS)]),
  });
  for await (const event of stream) events.push(event);
  return events;
}

/** Runs that are interrupted still report and clean up. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort());
  return controller.signal;
}

/** A skipped test is a failure: what is not run is not known. */
function setExitCode(totals: Totals, stop: AbortSignal): void {
  const bad = ['fail', 'cancelled', 'skipped', 'todo'].reduce((sum, name) => sum + (totals[name] ?? 0), 0);
  if (bad > 0 || stop.aborted || (totals['pass'] ?? 0) === 0) process.exitCode = 1;
}
