import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { createGrace } from './grace.ts';

type Look = { readonly after: number; readonly found: readonly string[]; readonly graceMs: number };

test('due() is what every look found since the grace began, whatever came before', () => {
  const look: fc.Arbitrary<Look> = fc.record({
    after: fc.nat(20),
    found: fc.subarray(['a', 'b', 'c']),
    graceMs: fc.integer({ min: 1, max: 30 }),
  });
  fc.assert(
    fc.property(fc.array(look, { maxLength: 40 }), (looks) => {
      const grace = createGrace<string>();
      const past: { nowMs: number; found: readonly string[] }[] = [];
      let nowMs = 0;
      for (const { after, found, graceMs } of looks) {
        nowMs += after;
        past.push({ nowMs, found });
        assert.deepEqual([...grace.due(found, { nowMs, graceMs })].sort(), naiveDue(past, graceMs));
      }
    }),
  );
});

/** Looks back from now, look by look, for as long as each found it. */
function naiveDue(past: readonly { nowMs: number; found: readonly string[] }[], graceMs: number): readonly string[] {
  const now = past.at(-1);
  if (now === undefined) return [];
  return now.found.filter((key) => {
    const missed = past.findLastIndex(({ found }) => !found.includes(key));
    const first = past[missed + 1];
    return first !== undefined && first !== now && now.nowMs - first.nowMs >= graceMs;
  });
}

test('due() needs two looks, however short the grace is', () => {
  const { due } = createGrace<string>();
  assert.deepEqual(due(['a'], { nowMs: 5, graceMs: 0 }), new Set());
  assert.deepEqual(due(['a'], { nowMs: 5, graceMs: 0 }), new Set(['a']));
});
