// The reports of single test files as one stream of events with one summary at its end. Relies on the test runner telling
// its counts as diagnostics `tests 12`, `pass 12`, … when a run ends.
import type { TestEvent } from 'node:test/reporters';

export type Totals = { readonly [count: string]: number };

const COUNT = /^(tests|suites|pass|fail|cancelled|skipped|todo) (\d+)$|^(duration_ms) /;

/** Passes on all events except the files' own summaries and counts, then yields the sums; `report` gets them too. */
export async function* joinRuns(
  files: AsyncIterable<readonly TestEvent[]>,
  report: (totals: Totals) => void,
): AsyncGenerator<TestEvent, void> {
  const totals: Record<string, number> = {};
  const started = performance.now();
  for await (const events of files) {
    for (const event of events) {
      const count = countOf(event);
      if (count !== undefined) totals[count.name] = (totals[count.name] ?? 0) + count.value;
      else if (event.type !== 'test:summary') yield event;
    }
  }
  totals['duration_ms'] = Math.round(performance.now() - started);
  report(totals);
  // The reporter lists what failed when it sees a summary.
  yield { type: 'test:summary', data: summaryOf(totals) };
  for (const [name, value] of Object.entries(totals)) {
    yield { type: 'test:diagnostic', data: { nesting: 0, message: `${name} ${value}`, level: 'info' } };
  }
}

function countOf(event: TestEvent): { readonly name: string; readonly value: number } | undefined {
  if (event.type !== 'test:diagnostic' || event.data.nesting !== 0) return undefined;
  const [matched, name, value, duration] = COUNT.exec(event.data.message) ?? [];
  if (matched === undefined) return undefined;
  return name === undefined ? { name: duration ?? '', value: 0 } : { name, value: Number(value) };
}

function summaryOf(totals: Totals): Extract<TestEvent, { type: 'test:summary' }>['data'] {
  const of = (name: string): number => totals[name] ?? 0;
  return {
    file: undefined,
    success: of('fail') + of('cancelled') === 0,
    duration_ms: of('duration_ms'),
    counts: {
      tests: of('tests'),
      passed: of('pass'),
      cancelled: of('cancelled'),
      skipped: of('skipped'),
      suites: of('suites'),
      todo: of('todo'),
      topLevel: of('tests'),
    },
  };
}
