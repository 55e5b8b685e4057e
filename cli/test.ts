// `margay test`: all test files of the project in one report. Types, lint and the import rules are tests too
// (test/rules), so this one command says whether the tree is good.
import { resolve } from 'node:path';
import { run } from 'node:test';
import { spec } from 'node:test/reporters';
import type { Command } from 'commander';
import { findTests } from './find-tests.ts';
import { joinRuns, type Totals } from './join-runs.ts';
import { sweepTestNamespaces } from './sweep-test-namespaces.ts';

const ROOT = resolve(import.meta.dirname, '..');
/** A test that takes longer than this hangs. */
const TEST_TIMEOUT_MS = 240_000;
/** After this everything that still runs is ended and counts as failed: even a file that never yields, or is kept alive by what a failed test left. */
const RUN_TIMEOUT_MS = 12 * 60_000;

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
  const runs = [
    { files: shared, concurrency: 2 },
    { files: alone, concurrency: 1 },
  ]
    .filter(({ files }) => files.length > 0)
    .map(
      ({ files, concurrency }) =>
        () =>
          runFiles(files, concurrency, stop),
    );
  const report = spec();
  report.pipe(process.stdout, { end: false });
  for await (const event of joinRuns(runs, (totals) => setExitCode(totals, stop))) {
    if (!report.write(event)) await new Promise((drained) => report.once('drain', drained));
  }
  report.end();
  await new Promise((ended) => report.once('end', ended));
  sweepTestNamespaces();
}

function runFiles(files: readonly string[], concurrency: number, signal: AbortSignal): ReturnType<typeof run> {
  return run({
    files: files.map((file) => resolve(ROOT, file)),
    cwd: ROOT,
    concurrency,
    timeout: TEST_TIMEOUT_MS,
    // Not --test-force-exit: it cuts off results that were not sent yet.
    execArgv: ['--disable-warning=ExperimentalWarning'],
    signal,
  });
}

/** Runs that are interrupted or take too long still report and clean up. */
function stopSignal(): AbortSignal {
  const controller = new AbortController();
  setTimeout(() => controller.abort(), RUN_TIMEOUT_MS).unref();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort());
  return controller.signal;
}

/** A skipped test is a failure: what is not run is not known. */
function setExitCode(totals: Totals, stop: AbortSignal): void {
  const bad = ['fail', 'cancelled', 'skipped', 'todo'].reduce((sum, name) => sum + (totals[name] ?? 0), 0);
  if (bad > 0 || stop.aborted || (totals['pass'] ?? 0) === 0) process.exitCode = 1;
}
