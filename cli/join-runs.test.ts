import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestEvent } from 'node:test/reporters';
import { joinRuns, type Totals } from './join-runs.ts';

const diagnostic = (message: string, nesting = 0): TestEvent => ({
  type: 'test:diagnostic',
  data: { nesting, message, level: 'info' },
});

async function* eventsOf(...messages: readonly (readonly [message: string, nesting?: number])[]) {
  for (const [message, nesting] of messages) yield diagnostic(message, nesting);
}

test('joinRuns() closes with the sums of all runs', async () => {
  const reported: Totals[] = [];
  const runs = [
    () => eventsOf(['tests 3'], ['pass 2'], ['fail 1'], ['duration_ms 10.6']),
    () => eventsOf(['tests 1'], ['pass 1'], ['fail 0'], ['duration_ms 1.6']),
  ];
  const events = await collect(joinRuns(runs, (totals) => reported.push(totals)));
  assert.deepEqual(
    events,
    ['tests 4', 'pass 3', 'fail 1', 'duration_ms 12'].map((message) => diagnostic(message)),
  );
  assert.equal(reported[0]?.['fail'], 1);
});

test('joinRuns() passes on what tests say', async () => {
  const said = [diagnostic('tests 3 of 4'), diagnostic('tests 3', 1)];
  const events = await collect(joinRuns([() => eventsOf(['tests 3 of 4'], ['tests 3', 1])], () => {}));
  assert.deepEqual(events, said);
});

async function collect(events: AsyncIterable<TestEvent>): Promise<readonly TestEvent[]> {
  const collected: TestEvent[] = [];
  for await (const event of events) collected.push(event);
  return collected;
}
