import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseLabelSelector } from './objects-selector.ts';

const labels = { app: 'web', tier: 'front', 'example.org/on': '' };
const rows: readonly { given: string; expected: boolean | string }[] = [
  { given: '', expected: true },
  { given: 'app=web', expected: true },
  { given: 'app==web, tier=front', expected: true },
  { given: 'app=web,tier=back', expected: false },
  { given: 'app!=web', expected: false },
  { given: 'none!=web', expected: true },
  { given: 'app in (db, web)', expected: true },
  { given: 'app in (db),tier', expected: false },
  { given: 'none in ()', expected: false },
  { given: 'app notin (db)', expected: true },
  { given: 'none notin (db)', expected: true },
  { given: 'app notin (db,web)', expected: false },
  { given: 'example.org/on', expected: true },
  { given: 'example.org/on=', expected: true },
  { given: '!app', expected: false },
  { given: '!none', expected: true },
  {
    given: 'app,',
    expected: 'Cannot parse label selector "app,": "", expected such as "app=web", "app in (a,b)" or "!app"',
  },
  {
    given: 'app=(a)',
    expected: 'Cannot parse label selector "app=(a)": "app=(a)", expected such as "app=web", "app in (a,b)" or "!app"',
  },
];

for (const { given, expected } of rows) {
  test(`parseLabelSelector() reads "${given}"`, () => {
    const matcher = parseLabelSelector(given);
    assert.equal(matcher.ok ? matcher.value(labels) : matcher.error, expected);
  });
}
