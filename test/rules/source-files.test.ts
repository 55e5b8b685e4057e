import assert from 'node:assert/strict';
import { test } from 'node:test';
import { sourceFile } from './source-files.ts';

const imports: readonly { name: string; given: string; expected: readonly string[] }[] = [
  { name: 'our files by path', given: "import { a } from '../lib/ip.ts';", expected: ['lib/ip.ts'] },
  { name: 'types too', given: "import type { A } from './a.ts';", expected: ['felix/a.ts'] },
  { name: 'several lines', given: "import {\n  a,\n  b,\n} from './a.ts';", expected: ['felix/a.ts'] },
  { name: 're-exports', given: "export * from './a.ts';", expected: ['felix/a.ts'] },
  { name: 'side effects', given: "import './a.ts';", expected: ['felix/a.ts'] },
  { name: 'dynamic imports', given: "await import('./a.ts');", expected: ['felix/a.ts'] },
  { name: 'packages and node', given: "import 'pino';\nimport x from 'node:fs';", expected: ['pino', 'node:fs'] },
  { name: 'not those in comments', given: "// import './a.ts'", expected: [] },
  { name: 'not those in strings', given: 'const a = "import \'./a.ts\'";', expected: [] },
];

for (const { name, given, expected } of imports) {
  test(`sourceFile() finds imports: ${name}`, () => {
    assert.deepEqual(sourceFile('felix/x.ts', given).imports, expected);
  });
}

const codes: readonly { name: string; given: string; expected: string }[] = [
  { name: 'line comment', given: 'a // any\nb', expected: 'a       \nb' },
  { name: 'block comment', given: 'a /* any\n*/ b', expected: 'a       \n   b' },
  { name: 'string with a quote', given: "f('a\\'any') + b", expected: 'f(        ) + b' },
  { name: 'address in a string', given: "f('http://any') + b", expected: 'f(            ) + b' },
  { name: 'template', given: 'f(`any\n`)', expected: 'f(    \n )' },
  { name: 'regular expression', given: 'x = /[\'"]/g; y', expected: 'x =        ; y' },
  { name: 'division', given: 'a / b / c', expected: 'a / b / c' },
];

for (const { name, given, expected } of codes) {
  test(`sourceFile() blanks out: ${name}`, () => {
    assert.equal(sourceFile('felix/x.ts', given).code, expected);
  });
}
