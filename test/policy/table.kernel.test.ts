// The third judge's entrance: rendered tables go into a real kernel, by our own encoder change by change, and as text
// through the nft program.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { FIRST_GENERATION, generationOf } from '../../felix/render/policy/generation.ts';
import { POLICY_TABLE } from '../../felix/render/policy/names.ts';
import { createPolicyRenderer } from '../../felix/render/policy/policy-renderer.ts';
import { inNetns } from '../../lib/linux/netns.ts';
import type { NftKey, NftObject } from '../../lib/nftables/ast.ts';
import { openNftables } from '../../lib/nftables/nfnetlink.ts';
import { planChanges, planReplacement } from '../../lib/nftables/plan.ts';
import { printRuleset } from '../../lib/nftables/print.ts';
import { createPolicyModel } from '../../policy/model/policy-model.ts';
import { testNetns } from '../support/netns.ts';
import { readCyclonus } from './cyclonus.ts';
import { history, play } from './histories.ts';
import { createPipeline } from './pipeline.ts';
import { RULE_ROWS } from './rule-rows/index.ts';

describe('rendered table in the kernel', () => {
  test('the table of each rule loads as text and dumps as the objects that were rendered', async (t) => {
    const netns = await testNetns(t, 'policy');
    const nft = open(t, netns.path);
    const directory = mkdtempSync(join(tmpdir(), 'margay-policy-'));
    t.after(() => rmSync(directory, { recursive: true }));
    const file = join(directory, 'table.nft');
    for (const { name, given } of RULE_ROWS) {
      const { show, renderer } = createPipeline();
      show(given);
      const text = printRuleset({ table: POLICY_TABLE, objects: renderer.objects() });
      writeFileSync(file, `table inet ${POLICY_TABLE.name}\ndelete table inet ${POLICY_TABLE.name}\n${text}`);
      await netns.exec('nft', '-f', file);
      assert.deepEqual(objectsOf(nft), normal(renderer.objects()), `rule ${name}`);
    }
    assert.equal(generationOf(nft.dump(POLICY_TABLE.name)?.objects.values() ?? []), FIRST_GENERATION);
  });

  test('any history, committed change by change, leaves in the kernel what is wanted', async (t) => {
    const netns = await testNetns(t, 'history');
    const nft = open(t, netns.path);
    fc.assert(
      fc.property(history, (steps) => {
        const model = createPolicyModel();
        const renderer = createPolicyRenderer({ generation: FIRST_GENERATION });
        nft.commit(planReplacement({ table: POLICY_TABLE, objects: renderer.objects() }));
        const step = (): void => nft.commit(planChanges(POLICY_TABLE, renderer.apply(model.drain())));
        play(steps, model, step);
        step();
        assert.deepEqual(objectsOf(nft), normal(renderer.objects()));
      }),
      { numRuns: 60 },
    );
  });

  const steps = readCyclonus();
  if (steps === undefined) {
    test('data folder absent', (t) => t.diagnostic('../shared/data/cyclonus is not there: its tables were not loaded'));
  } else {
    test('the generated cases one after the other leave the table of the last', async (t) => {
      const nft = open(t, (await testNetns(t, 'cyclonus')).path);
      const { show, renderer } = createPipeline();
      nft.commit(planReplacement({ table: POLICY_TABLE, objects: renderer.objects() }));
      for (const [index, step] of steps.entries()) {
        nft.commit(planChanges(POLICY_TABLE, show(step.world)));
        if (index % 16 === 0 || index === steps.length - 1) {
          assert.deepEqual(objectsOf(nft), normal(renderer.objects()), step.name);
        }
      }
    });
  }
});

type Nft = ReturnType<typeof openNftables>;

function open(t: TestContext, path: string): Nft {
  const nft = inNetns(path, openNftables);
  t.after(nft.close);
  return nft;
}

const objectsOf = (nft: Nft): unknown => normal(nft.dump(POLICY_TABLE.name)?.objects ?? new Map());

const normal = (objects: ReadonlyMap<NftKey, NftObject>): unknown => Object.fromEntries([...objects].sort());
