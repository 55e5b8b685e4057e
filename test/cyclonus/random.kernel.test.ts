// Random worlds before three judges: the oracle, a packet walked over the rendered table, and frames through the kernel.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type PacketEnd, verdict, type World } from '../../policy/oracle.ts';
import { type PodField, podField } from '../support/frames/pod-field.ts';
import { explainCell } from './explain-cell.ts';
import { formatMatrix, type SeenCell } from './format-matrix.ts';
import { type RandomCell, randomCells, type Service } from './random-cells.ts';
import { RANDOM_PODS, randomWorld } from './random-world.ts';

/** Of the runs that other random tests make, so many make one here. */
const SHARE = 20;

const services: fc.Arbitrary<readonly Service[]> = fc.subarray<Service>(
  [
    { protocol: 'icmp' },
    ...(['tcp', 'udp', 'sctp'] as const).flatMap((protocol) => [79, 80, 81, 82].map((port) => ({ protocol, port }))),
  ],
  { minLength: 1, maxLength: 3 },
);

test('random worlds: the same verdicts by oracle, walker and kernel', { timeout: 180_000 }, async (t) => {
  const field = await podField(t, RANDOM_PODS);
  const seed = Number(process.env['MARGAY_SEED'] ?? Math.floor(Math.random() * 0x7fff_ffff));
  const numRuns = Math.ceil(Number(process.env['MARGAY_RUNS'] ?? 1000) / SHARE);
  const begin = performance.now();
  let passed = 0;
  await fc.assert(
    fc.asyncProperty(randomWorld, services, async (world, chosen) => {
      passed += await sendWorld(field, world, chosen);
    }),
    { numRuns, seed },
  );
  const seconds = (performance.now() - begin) / 1000;
  const cells = field.sent();
  t.diagnostic(`seed ${seed}: ${numRuns} worlds, ${cells} cells, ${passed} allowed, ${seconds.toFixed(1)} s`);
});

/** The number of frames that arrived. @throws AssertionError when the judges do not agree */
async function sendWorld(field: PodField, world: World, chosen: readonly Service[]): Promise<number> {
  field.show(world);
  const judge = field.judge();
  const cells = chosen.flatMap((service) => ([4, 6] as const).flatMap((family) => randomCells(world, service, family)));
  const arrived = await field.probe(cells.map(({ shot }) => shot));
  const signs = cells.map(({ packet }, at) => ({
    oracle: verdict(world, packet).allowed,
    walker: judge(packet).combined,
    kernel: arrived[at] === true,
  }));
  const wrong = signs.findIndex(({ oracle, walker, kernel }) => oracle !== walker || oracle !== kernel);
  const cell = cells[wrong];
  if (cell !== undefined) assert.fail(complaint(field, { world, cells, cell, signs, wrong }));
  return arrived.filter(Boolean).length;
}

type Signs = { readonly oracle: boolean; readonly walker: boolean; readonly kernel: boolean };

function complaint(
  field: PodField,
  {
    world,
    cells,
    cell,
    signs,
    wrong,
  }: {
    readonly world: World;
    readonly cells: readonly RandomCell[];
    readonly cell: RandomCell;
    readonly signs: readonly Signs[];
    readonly wrong: number;
  },
): string {
  const seen = cells.map(({ packet }, at): SeenCell => {
    const { oracle, kernel, walker } = signs[at] ?? { oracle: false, walker: false, kernel: false };
    return {
      from: nameOf(packet.from),
      to: nameOf(packet.to),
      service: `${packet.protocol}/${packet.port ?? ''} v${packet.family}`,
      want: oracle ? '.' : 'X',
      got: (oracle === kernel ? walker : kernel) ? '.' : 'X',
    };
  });
  return [
    `The judges do not agree, oracle>other: ${JSON.stringify(signs[wrong])}`,
    formatMatrix(seen),
    explainCell(world, field.objects(), cell.packet),
    `The kernel has ${field.holds() ? 'exactly the rendered table' : 'another table than the rendered one'}`,
    JSON.stringify(world, (_, value) => (value instanceof Map ? Object.fromEntries(value) : value), 1),
  ].join('\n');
}

const nameOf = (end: PacketEnd): string => ('pod' in end ? end.pod : end.ip);
