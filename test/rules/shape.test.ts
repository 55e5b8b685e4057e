// What a file looks like: short, named in kebab-case, opening with what it is, and without the ways around the types.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SourceFile, sourceFiles } from './source-files.ts';

const MAX_LINES = 400;

const files = sourceFiles();
const tellsWhen = (rule: (file: SourceFile) => boolean): readonly string[] =>
  files.filter(rule).map(({ path }) => path);

test(`no file is longer than ${MAX_LINES} lines`, () => {
  assert.deepEqual(
    tellsWhen(({ text }) => text.split('\n').length > MAX_LINES + 1),
    [],
  );
});

test('file names are kebab-case', () => {
  assert.deepEqual(
    tellsWhen(({ path }) => !/^(?:[a-z0-9-]+\/)*[a-z0-9-]+(?:\.[a-z]+)*\.ts$/.test(path)),
    [],
  );
});

test('every file but tests opens with a comment that says what it is', () => {
  assert.deepEqual(
    tellsWhen(({ path, text }) => !path.endsWith('.test.ts') && !/^(?:#!.*\n)?(?:\/\/|\/\*)/.test(text)),
    [],
  );
});

test('the type checker is not silenced', () => {
  const silenced = /@ts-(?:ignore|nocheck|expect-error)|biome-ignore\S* \S*(?:noExplicitAny|noNonNull|noDefault)/;
  assert.deepEqual(
    tellsWhen(({ path, text }) => path !== 'test/rules/shape.test.ts' && silenced.test(text)),
    [],
  );
});

test('classes are errors', () => {
  assert.deepEqual(
    tellsWhen(({ code }) => /(?:^|\n|export )\s*(?:abstract )?class \w+(?! extends \w*Error\b)(?!\w)/.test(code)),
    [],
  );
});

test('nothing is left for later', () => {
  assert.deepEqual(
    tellsWhen(({ path, text }) => path !== 'test/rules/shape.test.ts' && /\b(?:TODO|FIXME|XXX)\b/.test(text)),
    [],
  );
});

test('no test is skipped or runs alone', () => {
  assert.deepEqual(
    tellsWhen(
      ({ path, code }) => path.endsWith('.test.ts') && /\b(?:test|it|describe|t)\.(?:skip|todo|only)\b/.test(code),
    ),
    [],
  );
});
