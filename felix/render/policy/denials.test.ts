import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { CounterName } from '../../../lib/nftables/ast.ts';
import { dropAll } from './denials.ts';

describe('dropAll()', () => {
  const counter = 'd_x' as CounterName;
  const prefixes = (who: string): readonly string[] =>
    dropAll(counter, { logDenied: { group: 1, ratePerSecond: 5 }, direction: 'egress', who }).flatMap(
      ({ statements }) => statements.flatMap((one) => (one.kind === 'log' ? [one.prefix] : [])),
    );

  test('does not log unless asked', () => {
    const rules = dropAll(counter, { logDenied: undefined, direction: 'egress', who: 'x' });
    assert.deepEqual(
      rules.map(({ statements }) => statements.map(({ kind }) => kind)),
      [['counter-ref', 'verdict']],
    );
  });

  test('says who denies', () => assert.deepEqual(prefixes('policy x'), ['margay denied egress: policy x ']));

  test('keeps to the length that the kernel has for a prefix', () => {
    assert.deepEqual(
      prefixes('x'.repeat(300)).map(({ length }) => length),
      [127],
    );
  });
});
