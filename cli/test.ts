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
/** A file that takes longer than this hangs. */
const FILE_TIMEOUT_MS = 240_000;

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
  const stop = abortOnSignals();
  sweepTestNamespaces();
  const runs = [() => runFiles(shared, 2, stop), () => runFiles(alone, 1, stop)];
  const report = spec();
  const end = report.pipe(process.stdout, { end: false });
  for await (const event of joinRuns(runs, (totals) => setExitCode(totals, stop))) {
    if (!report.write(event)) await new Promise((drained) => report.once('drain', drained));
  }
  report.end();
  await new Promise((ended) => report.once('end', ended));
  end.write('');
  sweepTestNamespaces();
}

function runFiles(files: readonly string[], concurrency: number, signal: AbortSignal): ReturnType<typeof run> {
  return run({
    files: files.map((file) => resolve(ROOT, file)),
    cwd: ROOT,
    concurrency,
    timeout: FILE_TIMEOUT_MS,
    execArgv: ['--disable-warning=ExperimentalWarning'],
    signal,
  });
}

/** Interrupted runs still report and clean up. */
function abortOnSignals(): AbortSignal {
  const controller = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => controller.abort());
  return controller.signal;
}

/** A skipped test is a failure: what is not run is not known. */
function setExitCode(totals: Totals, stop: AbortSignal): void {
  const bad = ['fail', 'cancelled', 'skipped', 'todo'].reduce((sum, name) => sum + (totals[name] ?? 0), 0);
  if (bad > 0 || stop.aborted || (totals['pass'] ?? 0) === 0) process.exitCode = 1;
}
