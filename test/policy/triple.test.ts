// Two of the three judges that must agree: the oracle, which reads the policies, and a packet walked over the rendered
// table. (The third, the kernel, loads the same tables in its own test.)
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import type { NftKey, NftObject } from '../../lib/nftables/ast.ts';
import { type Packet, verdict, type World } from '../../policy/oracle.ts';
import { podKey } from '../../policy/world.ts';
import { explainCell } from '../cyclonus/explain-cell.ts';
import { formatMatrix, type SeenCell } from '../cyclonus/format-matrix.ts';
import { labels, NAMESPACES, podFacts, policyResource, randomPacket, worldNodes } from './arbitraries.ts';
import { cellsOf, readCyclonus } from './cyclonus.ts';
import { createPipeline } from './pipeline.ts';
import { RULE_ROWS } from './rule-rows/index.ts';
import { packet } from './world-builder.ts';

describe('rendered table, walked', () => {
  for (const { name, given, expected } of RULE_ROWS) {
    test(`rule ${name}`, () => {
      const pipeline = createPipeline();
      pipeline.show(given);
      const judge = pipeline.judge();
      for (const [text, fate] of Object.entries(expected)) {
        assert.equal(judge(packet(text)).combined ? 'allow' : 'deny', fate, text);
      }
    });
  }

  const steps = readCyclonus();
  if (steps === undefined) {
    test('data folder absent', (t) => t.diagnostic('../shared/data/cyclonus is not there: its cases were not walked'));
  } else {
    test(`${steps.length} steps of the generated cases, one after the other on one table`, () => {
      const pipeline = createPipeline();
      for (const step of steps) {
        pipeline.show(step.world);
        const judge = pipeline.judge();
        for (const { from, to, protocol, port, want } of cellsOf(step)) {
          const got = judge(packet(`${from} > ${to} ${protocol}/${port}`));
          const signs = {
            combined: got.combined ? '.' : 'X',
            ingress: got.ingress ? '.' : 'X',
            egress: got.egress ? '.' : 'X',
          };
          assert.deepEqual(signs, want, `${step.name}: ${from} to ${to} ${protocol}/${port}`);
        }
      }
    });
  }

  test('random worlds and packets: the same verdict as the oracle', () => {
    fc.assert(
      fc.property(world, fc.array(randomPacket, { minLength: 20, maxLength: 20 }), (given, packets) => {
        const pipeline = createPipeline();
        pipeline.show(given);
        const judge = pipeline.judge();
        for (const one of packets) {
          if (agree(given, judge, one)) continue;
          assert.fail(complaint(given, { objects: pipeline.renderer.objects(), judge }, one));
        }
      }),
      { numRuns: Number(process.env['MARGAY_RUNS'] ?? 1000) },
    );
  });
});

type Judge = ReturnType<ReturnType<typeof createPipeline>['judge']>;

function agree(given: World, judge: Judge, one: Packet): boolean {
  const { egress, ingress, allowed } = verdict(given, one);
  const got = judge(one);
  if (got.combined !== allowed) return false;
  // A hairpin's directions cannot be told apart: both interfaces are the pod's.
  return one.hairpin || (got.egress === (egress.kind === 'allow') && got.ingress === (ingress.kind === 'allow'));
}

function complaint(
  given: World,
  { objects, judge }: { readonly objects: ReadonlyMap<NftKey, NftObject>; readonly judge: Judge },
  one: Packet,
): string {
  const keys = given.pods.map(({ namespace, name }) => podKey(namespace, name));
  const cells = keys.flatMap((from) =>
    keys.map((to): SeenCell => {
      const cell = { ...one, from: { pod: from }, to: { pod: to } };
      const [want, got] = [verdict(given, cell).allowed, judge(cell).combined];
      return { from, to, service: `${one.protocol}/${one.port ?? ''}`, want: want ? '.' : 'X', got: got ? '.' : 'X' };
    }),
  );
  return [
    'Oracle and table do not agree',
    `Pods, oracle>table: ${formatMatrix(cells) || 'all as the oracle says'}`,
    explainCell(given, objects, one),
    JSON.stringify(given, (_, value) => (value instanceof Map ? Object.fromEntries(value) : value), 1),
  ].join('\n');
}

const objects = fc.record({
  namespaces: fc
    .tuple(...NAMESPACES.map((name) => fc.tuple(fc.constant(name), fc.option(labels, { freq: 9, nil: undefined }))))
    .map((pairs) => new Map(pairs.flatMap(([name, own]) => (own === undefined ? [] : [[name, own] as const])))),
  pods: fc.uniqueArray(podFacts, { selector: ({ namespace, name }) => podKey(namespace, name), maxLength: 9 }),
  policies: fc.uniqueArray(policyResource, {
    selector: ({ metadata }) => `${metadata['namespace'] ?? ''}/${metadata.name}`,
    minLength: 1,
    maxLength: 6,
  }),
});

const world: fc.Arbitrary<World> = fc.tuple(objects, worldNodes).map(([one, other]) => ({ ...one, ...other }));
