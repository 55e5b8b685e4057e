// The generated policy cases, judged by the kernel: every cell of every step is one frame from one namespace to another.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { Family } from '../../lib/ip.ts';
import type { Packet, World } from '../../policy/oracle.ts';
import { type PodKey, podKey } from '../../policy/world.ts';
import { type CyclonusStep, cellsOf, readCyclonus } from '../policy/cyclonus.ts';
import { type FieldPod, type PodField, podField } from '../support/frames/pod-field.ts';
import { cellShots } from './cell-shots.ts';
import { dualStack } from './dual-stack.ts';
import { explainCell } from './explain-cell.ts';
import { formatMatrix, type SeenCell } from './format-matrix.ts';

const steps = readCyclonus();

if (steps === undefined) {
  test('data folder absent', (t) => t.diagnostic('../shared/data/cyclonus is not there: its cases were not sent'));
} else {
  test(`${steps.length} steps of the generated cases, sent as IPv4 frames`, { timeout: 180_000 }, async (t) => {
    await sendAll(t, { steps, worldOf: ({ world }) => world, families: [4] });
  });

  test('the same in two families at once, sent as IPv6 frames', { timeout: 180_000 }, async (t) => {
    await sendAll(t, { steps, worldOf: ({ world }) => dualStack(world), families: [6] });
  });
}

async function sendAll(
  t: TestContext,
  {
    steps,
    worldOf,
    families,
  }: {
    readonly steps: readonly CyclonusStep[];
    readonly worldOf: (step: CyclonusStep) => World;
    readonly families: readonly Family[];
  },
): Promise<void> {
  const begin = performance.now();
  const field = await podField(t, fieldPods(steps.map(worldOf)));
  const ready = performance.now();
  for (const step of steps) {
    const world = worldOf(step);
    field.show(world);
    for (const family of families) await sendStep(field, { step, world, family });
  }
  const seconds = (performance.now() - ready) / 1000;
  const perSecond = Math.round(field.sent() / seconds);
  t.diagnostic(
    `${field.sent()} cells in ${seconds.toFixed(1)} s, ${perSecond}/s; wired in ${Math.round(ready - begin)} ms`,
  );
}

async function sendStep(
  field: PodField,
  { step, world, family }: { readonly step: CyclonusStep; readonly world: World; readonly family: Family },
): Promise<void> {
  const cells = [...cellsOf(step)];
  const arrived = await field.probe(cellShots(world, cells, family));
  const seen = cells.map(({ from, to, protocol, port, want }, at): SeenCell => {
    const wanted = want.combined === '.' ? '.' : 'X';
    return { from, to, service: `${protocol}/${port}`, want: wanted, got: arrived[at] === true ? '.' : 'X' };
  });
  const wrong = cells[seen.findIndex(({ want, got }) => want !== got)];
  if (wrong === undefined) return;
  const { from, to, protocol, port } = wrong;
  const packet: Packet = { from: { pod: from as PodKey }, to: { pod: to as PodKey }, protocol, port, family };
  assert.fail(
    [
      `${step.name}, IPv${family}, wanted>seen:`,
      formatMatrix(seen),
      explainCell(world, field.objects(), packet),
      `The kernel has ${field.holds() ? 'exactly the rendered table' : 'another table than the rendered one'}`,
    ].join('\n'),
  );
}

/** Each pod of any of the worlds, with every address that it has in one. */
function fieldPods(worlds: readonly World[]): readonly FieldPod[] {
  const pods = new Map<string, FieldPod>();
  for (const { namespace, name, ips } of worlds.flatMap((world) => world.pods)) {
    const known = pods.get(podKey(namespace, name))?.ips ?? [];
    pods.set(podKey(namespace, name), { namespace, name, ips: [...new Set([...known, ...ips])] });
  }
  return [...pods.values()];
}
