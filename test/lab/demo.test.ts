// The demo with each ToR: everything is as expected, the document has its keys, and nothing is left.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { DemoReport } from '../../lab/demo/report.ts';
import type { TorKind } from '../../lab/spec.ts';
import { labName, leftovers, machineState, margay } from './lab-cli.ts';

test('lab demo --json with BIRD is as expected within 30 s', async (t) => {
  const report = await runDemo(await labName(t), 'bird');
  t.diagnostic(`set-up ${report.timings.setupMs} ms, total ${report.timings.totalMs} ms`);
  assert.ok(report.timings.totalMs < 30_000, `${report.timings.totalMs} ms`);
});

test('lab demo --json with FRR and with gobgp, side by side, are as expected', async (t) => {
  const names = { frr: await labName(t), gobgp: await labName(t) };
  const reports = await Promise.all([runDemo(names.frr, 'frr'), runDemo(names.gobgp, 'gobgp')]);
  for (const { tor, timings } of reports) t.diagnostic(`${tor.kind}: total ${timings.totalMs} ms`);
});

async function runDemo(lab: string, tor: TorKind): Promise<DemoReport> {
  const before = machineState();
  const { exitCode, stdout, stderr } = await margay('lab', 'demo', '--json', '--tor', tor, '--name', lab);
  const report = JSON.parse(stdout) as DemoReport;
  const wrong = {
    error: report.error,
    checks: report.checks.filter(({ ok }) => !ok),
    cells: report.steps.flatMap(({ name, cells, outside }) =>
      [...cells, ...outside]
        .filter(({ expected, observed }) => expected !== observed)
        .map((cell) => ({ name, ...cell })),
    ),
  };
  assert.deepEqual(wrong, { error: undefined, checks: [], cells: [] }, stderr);
  assert.equal(exitCode, 0);
  assert.equal(report.ok, true);
  assert.deepEqual(
    report.nodes.map(({ name, as, established, peers }) => ({ name, as, established, peers })),
    ['node1', 'node2', 'node3'].map((name) => ({ name, as: 64512, established: 3, peers: 3 })),
  );
  assert.equal(report.tor.kind, tor);
  assert.deepEqual(
    report.tor.routes.toSorted(byPrefix),
    report.nodes.map(({ block, address }) => ({ prefix: block, via: [address] })).toSorted(byPrefix),
  );
  assert.equal(new Set(report.pods.map(({ node }) => node)).size, 3, 'pods on every node');
  assert.deepEqual(
    report.steps.map(({ name }) => name),
    ['none', 'default-deny', 'allows'],
  );
  assert.equal(report.timings.addMs.length, report.pods.length);
  assert.equal(report.timings.delMs.length, report.pods.length);
  assert.deepEqual(leftovers(lab), []);
  assert.equal(machineState(), before);
  return report;
}

const byPrefix = (a: { readonly prefix: string }, b: { readonly prefix: string }): number =>
  a.prefix < b.prefix ? -1 : 1;
