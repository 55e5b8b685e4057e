// The generated policy cases, judged by the oracle.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { verdict } from '../../policy/oracle.ts';
import type { PodKey } from '../../policy/world.ts';
import { cellsOf, readCyclonus } from './cyclonus.ts';

const steps = readCyclonus();

if (steps === undefined) {
  test('data folder absent', (t) => t.diagnostic('../shared/data/cyclonus is not there: its cases were not judged'));
} else {
  test(`verdict() on ${steps.length} steps of the generated cases`, (t) => {
    let cells = 0;
    for (const step of steps) {
      for (const { from, to, protocol, port, want } of cellsOf(step)) {
        const got = verdict(step.world, { from: { pod: from as PodKey }, to: { pod: to as PodKey }, protocol, port });
        const signs = {
          combined: got.allowed ? '.' : 'X',
          ingress: got.ingress.kind === 'allow' ? '.' : 'X',
          egress: got.egress.kind === 'allow' ? '.' : 'X',
        };
        assert.deepEqual(signs, want, `${step.name}: ${from} to ${to} ${protocol}/${port}`);
        cells++;
      }
    }
    t.diagnostic(`${cells} cells`);
  });
}
