// The generated policy cases in both families: the twins mean the same to the oracle and to the rendered table.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createJudge } from '../../felix/explain/judge.ts';
import { createPlaces } from '../../policy/explain/places.ts';
import { verdict } from '../../policy/oracle.ts';
import type { PodKey } from '../../policy/world.ts';
import { cellsOf, readCyclonus } from '../policy/cyclonus.ts';
import { createPipeline } from '../policy/pipeline.ts';
import { dualStack } from './dual-stack.ts';

const steps = readCyclonus();

if (steps === undefined) {
  test('data folder absent', (t) => t.diagnostic('../shared/data/cyclonus is not there: its cases were not mapped'));
} else {
  test(`${steps.length} steps of the generated cases with IPv6 twins, by oracle and walker`, () => {
    const pipeline = createPipeline();
    for (const step of steps) {
      const world = dualStack(step.world);
      pipeline.show(world);
      const places = createPlaces(world);
      const walker = createJudge({ objects: pipeline.renderer.objects(), places, policies: [] });
      for (const { from, to, protocol, port, want } of cellsOf(step)) {
        const ends = { from: { pod: from as PodKey }, to: { pod: to as PodKey } };
        const flow = places.resolve(ends.from, ends.to, 6);
        assert.ok(flow, 'both pods have an IPv6 address');
        const { egress, ingress, allowed } = verdict(world, { ...ends, protocol, port, family: 6 });
        const oracle = [egress.kind === 'allow', ingress.kind === 'allow', allowed];
        const expected = [want.egress === '.', want.ingress === '.', want.combined === '.'];
        const name = `${step.name}: ${from} to ${to} ${protocol}/${port}`;
        if (oracle.some((one, at) => one !== expected[at])) assert.deepEqual(oracle, expected, `oracle, ${name}`);
        assert.equal(walker.allows({ ...flow, protocol, port }), want.combined === '.', `walker, ${name}`);
      }
    }
  });
}
