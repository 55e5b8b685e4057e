import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Generation } from './render/policy/generation.ts';
import { generationLag, markedGeneration, unusedGeneration } from './revoke-generation.ts';

const LAGS = [
  { name: 'the present one', given: [7, 7], expected: 0 },
  { name: 'the one before', given: [6, 7], expected: 1 },
  { name: 'the one before the numbers came around', given: [0xfffe, 1], expected: 1 },
  { name: 'one that seems to be ahead was a whole round ago', given: [8, 7], expected: 65533 },
] as const;

for (const { name, given, expected } of LAGS) {
  test(`generationLag(): ${name}`, () => {
    assert.equal(generationLag(given[0], given[1] as Generation), expected);
  });
}

test('markedGeneration() reads the upper half', () => {
  assert.equal(markedGeneration(0xffff1234), 0xffff);
  assert.equal(markedGeneration(0x1234), 0);
});

test('unusedGeneration() avoids what flows carry, and the one before it', () => {
  assert.equal(unusedGeneration(new Set([0])), 1);
  assert.equal(unusedGeneration(new Set([1, 2, 3])), 4);
  assert.equal(unusedGeneration(new Set([2, 4, 5])), 6);
  assert.equal(unusedGeneration(new Set(Array.from({ length: 0xffff }, (_, i) => i + 1))), 1);
});
