// After any history: the changes that the renderer reports lead to its objects, its objects are those of a fresh render
// of the final inputs, and nothing refers to what is not there.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FIRST_GENERATION } from '../../felix/render/policy/generation.ts';
import { createPolicyRenderer } from '../../felix/render/policy/policy-renderer.ts';
import type { PolicyRenderer } from '../../felix/render/policy/types.ts';
import type { NftKey, NftObject, Verdict } from '../../lib/nftables/ast.ts';
import { createPolicyModel } from '../../policy/model/policy-model.ts';
import { history, type Inputs, load, play } from './histories.ts';

test('createPolicyRenderer() after any history = a fresh render of the final inputs', () => {
  fc.assert(
    fc.property(history, (steps) => {
      const model = createPolicyModel();
      const renderer = createPolicyRenderer({ generation: FIRST_GENERATION });
      const table = new Map(renderer.objects());
      const step = (): void => {
        for (const { key, before, after } of renderer.apply(model.drain())) {
          assert.deepEqual(table.get(key), before, `${key} before`);
          if (after === undefined) table.delete(key);
          else table.set(key, after);
        }
        assertNoDangling(table);
      };
      const inputs = play(steps, model, step);
      step();
      assert.deepEqual(sorted(table), sorted(renderer.objects()));
      assert.deepEqual(sorted(table), sorted(fresh(inputs, renderer).objects()));
      for (const ifName of inputs.endpoints.keys()) {
        for (const key of renderer.explainEndpoint(ifName)) assert.ok(table.has(key), `${key} is explained but absent`);
      }
    }),
    { numRuns: Number(process.env['MARGAY_RUNS'] ?? 1000) },
  );
});

function fresh(inputs: Inputs, like: PolicyRenderer): PolicyRenderer {
  const model = createPolicyModel();
  load(inputs, model);
  const changes = model.drain();
  assert.equal(changes.canRevoke, false, 'a first load revokes nothing');
  const renderer = createPolicyRenderer({ generation: like.generation() });
  renderer.apply(changes);
  return renderer;
}

function assertNoDangling(table: ReadonlyMap<NftKey, NftObject>): void {
  const has = (key: string): void => assert.ok(table.has(key as NftKey), `${key} is referred to but absent`);
  const target = (verdict: Verdict | undefined): void => {
    if (verdict?.kind === 'jump' || verdict?.kind === 'goto') has(`chain/${verdict.chain}`);
  };
  for (const object of table.values()) {
    if (object.kind === 'element') {
      has(`set/${object.set}`);
      target(object.verdict);
    } else if (object.kind === 'chain') {
      for (const statement of object.rules.flatMap(({ statements }) => statements)) {
        if (statement.kind === 'lookup') has(`set/${statement.set}`);
        else if (statement.kind === 'counter-ref') has(`counter/${statement.counter}`);
        else if (statement.kind === 'vmap') has(`set/${statement.map}`);
        else if (statement.kind === 'verdict') target(statement.verdict);
      }
    }
  }
}

const sorted = (table: ReadonlyMap<NftKey, NftObject>): readonly (readonly [NftKey, NftObject])[] =>
  [...table].sort(([a], [b]) => (a < b ? -1 : 1));
