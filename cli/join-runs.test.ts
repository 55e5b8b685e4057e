import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TestEvent } from 'node:test/reporters';
import { joinRuns, type Totals } from './join-runs.ts';

const diagnostic = (message: string, nesting = 0): TestEvent => ({
  type: 'test:diagnostic',
  data: { nesting, message, level: 'info' },
});

async function* filesOf(...files: readonly (readonly TestEvent[])[]) {
  yield* files;
}

test('joinRuns() closes with the sums of all files', async () => {
  const reported: Totals[] = [];
  const files = filesOf(
    ['tests 3', 'pass 2', 'fail 1', 'duration_ms 10.6'].map((message) => diagnostic(message)),
    ['tests 1', 'pass 1', 'fail 0', 'duration_ms 1.6'].map((message) => diagnostic(message)),
  );
  const events = await collect(joinRuns(files, (totals) => reported.push(totals)));
  assert.deepEqual(
    events.slice(1, 4),
    ['tests 4', 'pass 3', 'fail 1'].map((message) => diagnostic(message)),
  );
  assert.equal(events[0]?.type, 'test:summary');
  assert.equal(reported[0]?.['fail'], 1);
});

test('joinRuns() passes on what tests say', async () => {
  const said = [diagnostic('tests 3 of 4'), diagnostic('tests 3', 1)];
  const events = await collect(joinRuns(filesOf(said), () => {}));
  assert.deepEqual(events.slice(0, 2), said);
});

async function collect(events: AsyncIterable<TestEvent>): Promise<readonly TestEvent[]> {
  const collected: TestEvent[] = [];
  for await (const event of events) collected.push(event);
  return collected;
}
