// Several runs of the test runner as one stream of events with one summary at its end, so that the report closes with
// the sums. Relies on the runner telling its counts as diagnostics `tests 12`, `pass 12`, … when a run ends.
import type { TestEvent } from 'node:test/reporters';

export type Totals = { readonly [count: string]: number };

const COUNT = /^(tests|suites|pass|fail|cancelled|skipped|todo|duration_ms) (\d+(?:\.\d+)?)$/;

/** Passes on all events except the runs' own counts, then yields the summed counts; `report` gets them too. */
export async function* joinRuns(
  runs: readonly (() => AsyncIterable<TestEvent>)[],
  report: (totals: Totals) => void,
): AsyncGenerator<TestEvent, void> {
  const totals: Record<string, number> = {};
  for (const start of runs) {
    for await (const event of start()) {
      const count = countOf(event);
      if (count === undefined) yield event;
      else totals[count.name] = (totals[count.name] ?? 0) + count.value;
    }
  }
  report(totals);
  for (const [name, value] of Object.entries(totals)) {
    const message = `${name} ${name === 'duration_ms' ? Math.round(value) : value}`;
    yield { type: 'test:diagnostic', data: { nesting: 0, message, level: 'info' } };
  }
}

function countOf(event: TestEvent): { readonly name: string; readonly value: number } | undefined {
  if (event.type !== 'test:diagnostic' || event.data.nesting !== 0) return undefined;
  const [, name, value] = COUNT.exec(event.data.message) ?? [];
  return name === undefined || value === undefined ? undefined : { name, value: Number(value) };
}
