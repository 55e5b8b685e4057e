import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { unwrap } from '../../../lib/result.ts';
import {
  FIRST_GENERATION,
  GENERATION_MASK,
  generationMark,
  generationOf,
  nextGeneration,
  parseGeneration,
} from './generation.ts';
import { createPolicyRenderer } from './policy-renderer.ts';

const LAST = unwrap(parseGeneration(0xfffe));

describe('generation', () => {
  test('nextGeneration() goes round without 0 and 65535, the marks of flows never judged and revoked', () => {
    assert.equal(nextGeneration(FIRST_GENERATION), 2);
    assert.equal(nextGeneration(LAST), 1);
  });

  test('generationMark() keeps to its half of the mark', () => {
    for (const generation of [FIRST_GENERATION, LAST]) {
      assert.equal((generationMark(generation) & GENERATION_MASK) >>> 0, generationMark(generation));
    }
  });

  for (const given of [0, -1, 1.5, 0xffff, 0x10000, Number.NaN]) {
    test(`parseGeneration() refuses ${given}`, () => assert.equal(parseGeneration(given).ok, false));
  }

  test('generationOf() reads back what a table carries, and nothing from a table without', () => {
    const renderer = createPolicyRenderer({ generation: LAST });
    assert.equal(generationOf(renderer.objects().values()), LAST);
    assert.equal(generationOf([]), undefined);
  });

  test('a change that can revoke brings the next one into all chains that carry it', () => {
    const renderer = createPolicyRenderer({ generation: LAST });
    const changes = renderer.apply({ sets: [], chains: [], profiles: [], endpoints: [], canRevoke: true });
    assert.deepEqual(
      changes.map(({ key }) => key),
      [
        'fwd_egress',
        'fwd_ingress',
        'fwd_stamp',
        'stamp',
        'stamp_leaving',
        'in_egress',
        'in_stamp',
        'stamp_arrived',
      ].map((name) => `chain/${name}`),
    );
    assert.equal(renderer.generation(), FIRST_GENERATION);
  });
});
