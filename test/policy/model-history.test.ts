// After any history of inputs, with drains anywhere, the accumulated outputs of the incremental model are those that
// brute force finds for the final inputs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createPolicyModel } from '../../policy/model/policy-model.ts';
import { history, play } from './histories.ts';
import { naiveOutputs } from './naive-outputs.ts';
import { accumulate, noOutputs } from './outputs.ts';

test('createPolicyModel() after any history = brute force on the final inputs', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const model = createPolicyModel();
      const outputs = noOutputs();
      const inputs = play(steps, model, () => accumulate(outputs, model.drain()));
      accumulate(outputs, model.drain());
      assert.deepEqual(outputs, naiveOutputs(inputs));
      assert.deepEqual(model.drain(), { canRevoke: false, sets: [], chains: [], profiles: [], endpoints: [] });
    }),
    { numRuns: Number(process.env['MARGAY_RUNS'] ?? 2000) },
  );
});
