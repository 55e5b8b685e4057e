import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { LabelSelector } from '../datastore/resources/metadata.ts';
import { selectorMatches, selectorOf } from './selector.ts';

describe('selectorOf()', () => {
  const rows: readonly { readonly name: string; readonly given: LabelSelector; readonly expected: string }[] = [
    { name: 'is empty for the empty selector', given: { matchLabels: {}, matchExpressions: [] }, expected: '' },
    {
      name: 'writes a label as the expression that it is',
      given: { matchLabels: { app: 'web' } },
      expected: selectorOf({ matchExpressions: [{ key: 'app', operator: 'In', values: ['web'] }] }).text,
    },
    {
      name: 'does not depend on order or repetition',
      given: {
        matchExpressions: [
          { key: 'tier', operator: 'Exists' },
          { key: 'app', operator: 'NotIn', values: ['b', 'a', 'b'] },
          { key: 'tier', operator: 'Exists' },
        ],
      },
      expected: 'app not-in ("a" "b"),tier exists',
    },
    {
      name: 'tells the empty value from no value',
      given: { matchLabels: { app: '' } },
      expected: 'app in ("")',
    },
  ];
  for (const { name, given, expected } of rows) test(name, () => assert.equal(selectorOf(given).text, expected));

  test('has other texts for other selections', () => {
    const texts = [
      {},
      { matchLabels: { a: 'b' } },
      { matchLabels: { a: '' } },
      { matchExpressions: [{ key: 'a', operator: 'In' as const, values: ['', 'b'] }] },
      { matchExpressions: [{ key: 'a', operator: 'NotIn' as const, values: ['b'] }] },
      { matchExpressions: [{ key: 'a', operator: 'Exists' as const }] },
      { matchExpressions: [{ key: 'a', operator: 'DoesNotExist' as const }] },
    ].map((selector) => selectorOf(selector).text);
    assert.equal(new Set(texts).size, texts.length);
  });
});

test('selectorMatches() does not see inherited properties as labels', () => {
  const exists = selectorOf({ matchExpressions: [{ key: 'constructor', operator: 'Exists' }] });
  assert.equal(selectorMatches(exists, {}), false);
  assert.equal(selectorMatches(exists, { constructor: '' }), true);
});
