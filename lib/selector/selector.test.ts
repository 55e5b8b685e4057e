import assert from 'node:assert/strict';
import { test } from 'node:test';
import { unwrap } from '../result.ts';
import { parseSelector } from './parse-selector.ts';
import { printSelector } from './print-selector.ts';
import { selectorMatches } from './selector-matches.ts';

const labels = { role: 'web', 'example.org/zone': 'eu-1', empty: '' };

const rows = [
  { given: '', text: 'all()', expected: true },
  { given: ' \t', text: 'all()', expected: true },
  { given: "role == 'web'", text: 'role == "web"', expected: true },
  { given: `role=="we'b"`, text: `role == "we'b"`, expected: false },
  { given: `a == 'say "hi"'`, text: `a == 'say "hi"'`, expected: false },
  { given: "role != 'web'", text: 'role != "web"', expected: false },
  { given: "absent != 'web'", text: 'absent != "web"', expected: true },
  { given: "absent == ''", text: 'absent == ""', expected: false },
  { given: "empty == ''", text: 'empty == ""', expected: true },
  { given: 'has(empty)', text: 'has(empty)', expected: true },
  { given: '!has( example.org/zone )', text: '!has(example.org/zone)', expected: false },
  { given: '!!has(role)', text: 'has(role)', expected: true },
  { given: 'has(constructor)', text: 'has(constructor)', expected: false },
  { given: "role in {'db','web','db'}", text: 'role in { "db", "web" }', expected: true },
  { given: "role in {'web',}", text: 'role in { "web" }', expected: true },
  { given: 'role in {}', text: 'role in {  }', expected: false },
  { given: "absent notin {'web'}", text: 'absent not in { "web" }', expected: true },
  { given: "role not in {'web'}", text: 'role not in { "web" }', expected: false },
  { given: "example.org/zone starts with 'eu'", text: 'example.org/zone starts with "eu"', expected: true },
  { given: "example.org/zone startswith 'us'", text: 'example.org/zone starts with "us"', expected: false },
  { given: "example.org/zone ends\twith '-1'", text: 'example.org/zone ends with "-1"', expected: true },
  { given: "role contains 'e'", text: 'role contains "e"', expected: true },
  { given: "!role == 'web'", text: '!role == "web"', expected: false },
  { given: "has(x) || has(role) && role == 'db'", text: 'has(x) || (has(role) && role == "db")', expected: false },
  { given: "(has(x) || has(role)) && !(role == 'db')", text: '(has(x) || has(role)) && !role == "db"', expected: true },
  { given: 'all() && global()', text: 'all() && global()', expected: true },
  { given: "all == 'x'", text: 'all == "x"', expected: false },
  { given: "inner == 'x'", text: 'inner == "x"', expected: false },
];

for (const { given, text, expected } of rows) {
  test(`a selector is read, printed and matched: ${given}`, () => {
    const selector = unwrap(parseSelector(given));
    assert.equal(printSelector(selector), text);
    assert.deepEqual(parseSelector(text), { ok: true, value: selector });
    assert.equal(selectorMatches(selector, labels), expected);
  });
}

const wrong = [
  { given: 'role', expected: /at character 5 the text ends, expected ==/ },
  { given: 'role = "web"', expected: /at character 6 "= "web"" stands there, expected ==/ },
  { given: 'role == web', expected: /expected a text in quotes/ },
  { given: 'role == "web', expected: /expected a text in quotes/ },
  { given: 'role in "web"', expected: /expected "\{"/ },
  { given: 'role in {"a" "b"}', expected: /expected "," or "}"/ },
  { given: '(has(a)', expected: /expected "\)"/ },
  { given: 'has(a) has(b)', expected: /expected "&&", "\|\|" or the end/ },
  { given: 'has(a) &&', expected: /at character 10 the text ends, expected a label key/ },
  { given: `${'('.repeat(100_000)}has(a)`, expected: /at most 100 parentheses/ },
  { given: 'k'.repeat(513), expected: /expected a label key/ },
  { given: 'a == "\u0000', expected: /expected a text in quotes/ },
];

for (const { given, expected } of wrong) {
  test(`a wrong selector is an answer: ${JSON.stringify(given.slice(0, 30))}`, () => {
    const parsed = parseSelector(given);
    assert.match(parsed.ok ? 'it was read' : parsed.error, expected);
  });
}

test('a selector of ten thousand terms is read, and a chain of negations', () => {
  const long = unwrap(parseSelector(Array.from({ length: 10_000 }, (_, i) => `has(k${i})`).join(' || ')));
  assert.equal(selectorMatches(long, { k9999: '' }), true);
  assert.equal(selectorMatches(unwrap(parseSelector(`${'!'.repeat(10_001)}has(a)`)), {}), true);
});

test('global() selects what lies in no namespace', () => {
  const selector = unwrap(parseSelector('global()'));
  assert.deepEqual([selectorMatches(selector, {}), selectorMatches(selector, {}, true)], [true, false]);
});
