import assert from 'node:assert/strict';
import { test } from 'node:test';
import { jsonEqual } from './json-equal.ts';

const rows = [
  { name: 'scalars', given: [1, 1], expected: true },
  { name: 'number and its text', given: [1, '1'], expected: false },
  { name: 'null and absent', given: [{ a: null }, {}], expected: false },
  { name: 'undefined and absent', given: [{ a: undefined }, {}], expected: true },
  {
    name: 'fields in another order',
    given: [
      { a: 1, b: [{ c: 2 }] },
      { b: [{ c: 2 }], a: 1 },
    ],
    expected: true,
  },
  { name: 'one more field', given: [{ a: 1 }, { a: 1, b: 2 }], expected: false },
  {
    name: 'list in another order',
    given: [
      [1, 2],
      [2, 1],
    ],
    expected: false,
  },
  { name: 'list and object', given: [[1], { 0: 1 }], expected: false },
  { name: 'other field of the same count', given: [{ a: undefined, b: 1 }, { a: 1 }], expected: false },
] as const;

for (const { name, given, expected } of rows) {
  test(`jsonEqual() compares ${name}`, () => {
    assert.equal(jsonEqual(given[0], given[1]), expected);
    assert.equal(jsonEqual(given[1], given[0]), expected);
  });
}
