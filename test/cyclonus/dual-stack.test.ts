// The generated policy cases in both families: the twins mean the same to the oracle and to the rendered table.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verdict } from '../../policy/oracle.ts';
import { cellsOf, readCyclonus } from '../policy/cyclonus.ts';
import { createPipeline } from '../policy/pipeline.ts';
import { packet } from '../policy/world-builder.ts';
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
      const judge = pipeline.judge();
      for (const { from, to, protocol, port, want } of cellsOf(step)) {
        const one = packet(`${from} > ${to} ${protocol}/${port} v6`);
        const { egress, ingress, allowed } = verdict(world, one);
        const oracle = {
          egress: egress.kind === 'allow' ? '.' : 'X',
          ingress: ingress.kind === 'allow' ? '.' : 'X',
          combined: allowed ? '.' : 'X',
        };
        const walked = judge(one);
        const walker = {
          egress: walked.egress ? '.' : 'X',
          ingress: walked.ingress ? '.' : 'X',
          combined: walked.combined ? '.' : 'X',
        };
        assert.deepEqual(
          { oracle, walker },
          { oracle: want, walker: want },
          `${step.name}: ${from} to ${to} ${protocol}/${port}`,
        );
      }
    }
  });
}
