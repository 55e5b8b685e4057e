// The benchmarks run, and report in the form that programs read. Their figures are for nobody to judge here.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { resolve } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { z } from 'zod';
import { printReport } from './print-report.ts';
import { resultOf } from './results.ts';

const run = promisify(execFile);
const MAIN = resolve(import.meta.dirname, 'main.ts');

const side = { p50: z.number(), p90: z.number(), p99: z.number(), n: z.int().min(1) };
const reportSchema = z.strictObject({
  machine: z.strictObject({ cpu: z.string().min(1), kernel: z.string().min(1), load: z.number() }),
  results: z
    .array(
      z.strictObject({
        name: z.string().min(1),
        unit: z.string().min(1),
        ours: z.strictObject(side),
        other: z.strictObject({ name: z.string().min(1), ...side }).nullable(),
        ratio: z.number().nullable(),
        goal: z.string(),
        met: z.boolean(),
      }),
    )
    .min(1),
});

test('margay bench policy reports every part', { timeout: 120_000 }, async () => {
  const { stdout } = await run(process.execPath, [MAIN, 'policy', '--quick', '--json'], { timeout: 110_000 });
  const { results } = reportSchema.parse(JSON.parse(stdout));
  const names = results.map(({ name }) => name);
  for (const part of ['member added', 'rule revoked', 'whole table', 'growth', 'established flow', 'new flow']) {
    assert.ok(
      names.some((name) => name.startsWith(part)),
      part,
    );
  }
  assert.equal(new Set(names).size, names.length, 'a name is said once');
  // What is counted has no noise, whatever the size.
  const rules = results.filter(({ name }) => name.endsWith('rules rendered'));
  assert.deepEqual(
    rules.map(({ ours }) => ours.p99),
    [0, 0],
  );
});

test('margay bench cni reports every part, and its agents run no program', { timeout: 120_000 }, async () => {
  const { stdout } = await run(process.execPath, [MAIN, 'cni', '--quick', '--json'], { timeout: 110_000 });
  const { results } = reportSchema.parse(JSON.parse(stdout));
  for (const verb of ['ADD', 'DEL']) {
    for (const part of ['pods of ten kinds', 'each pod with a policy of its own', '10 in flight']) {
      const line = results.find(({ name }) => name === `${verb}, ${part}`);
      assert.equal(line?.other?.name, 'ptp + host-local, no policy', `${verb}, ${part}`);
    }
    const counted = (what: string) => results.find(({ name }) => name === `${verb}: ${what}`)?.ours.p99;
    assert.equal(counted('programs run by the agent'), 0);
    // More than none, and not so many that something is read again for each pod.
    assert.ok((counted('netlink datagrams sent') ?? 0) >= 3);
    assert.ok((counted('netlink datagrams sent') ?? Number.POSITIVE_INFINITY) <= 12);
  }
  assert.ok(results.some(({ name }) => name.startsWith('event loop, longest block')));
});

test('margay bench agent reports memory and repair, and a restart that loses no packet', {
  timeout: 120_000,
}, async () => {
  const { stdout } = await run(process.execPath, [MAIN, 'agent', '--quick', '--json'], { timeout: 110_000 });
  const { results } = reportSchema.parse(JSON.parse(stdout));
  const find = (start: string) => results.find(({ name }) => name.startsWith(start))?.ours.p99;
  const [resident = 0, heap = 0, inUse = 0] = ['resident', 'of it heap', 'heap in use'].map(find);
  assert.ok(resident > heap && heap > inUse && inUse > 1, `${resident} > ${heap} > ${inUse} MB`);
  for (const what of ['rule deleted', 'route deleted', 'agent started again']) assert.ok((find(what) ?? 0) > 0, what);
  assert.equal(find('packets lost'), 0);
});

test('an unknown group is refused', async () => {
  await assert.rejects(run(process.execPath, [MAIN, 'weather']), /Cannot run benchmark group "weather"/);
});

test('a name that no benchmark has is refused, and those that there are told', async () => {
  await assert.rejects(
    run(process.execPath, [MAIN, 'policy', '--only', 'weather']),
    /Cannot run benchmarks "weather" of group "policy": none is called so, expected a part of "members", /,
  );
});

test('resultOf() tells percentiles, ratio and goal', () => {
  const samples = Array.from({ length: 100 }, (_, i) => 100 - i);
  const other = { name: 'it', samples: samples.map((value) => value * 2) };
  const goal = { text: '< 60', met: ({ ours }: { readonly ours: { readonly p50: number } }) => ours.p50 < 60 };
  assert.deepEqual(resultOf({ name: 'a', unit: 'ms', ours: samples, other, goal }), {
    name: 'a',
    unit: 'ms',
    ours: { p50: 51, p90: 91, p99: 100, n: 100 },
    other: { name: 'it', p50: 102, p90: 182, p99: 200, n: 100 },
    ratio: 0.5,
    goal: '< 60',
    met: true,
  });
  assert.throws(() => resultOf({ name: 'a', unit: 'ms', ours: [] }), /Cannot report 0 samples/);
});

test('printReport() lines up what it prints', () => {
  const machine = { cpu: 'x', kernel: '6', load: 0.5 };
  const results = [
    resultOf({ name: 'short', unit: 'ms', ours: [0.01234] }),
    resultOf({ name: 'much longer', unit: 'packets/s', ours: [123_456.7], other: { name: 'it', samples: [1] } }),
  ];
  const [, , head = '', ...rows] = printReport({ machine, results }).split('\n');
  assert.equal(rows.length, 2);
  assert.ok(rows[0]?.includes('0.0123') && rows[1]?.includes('123457'));
  const column = head.indexOf('ours p50') + 'ours p50'.length;
  assert.deepEqual(
    rows.map((row) => row.slice(column, column + 1)),
    [' ', ' '],
  );
});
