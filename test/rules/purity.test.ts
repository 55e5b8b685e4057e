// The pure core: what decides has no clock, no randomness, no I/O and nothing asynchronous, so that its output depends
// on its input alone.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type SourceFile, sourceFile, sourceFiles } from './source-files.ts';

const PURE_FOLDERS = ['felix/explain/', 'felix/model/', 'felix/render/', 'policy/', 'ipam/model/', 'bgp/model/'];

/** Hashes and address syntax: functions of their arguments. */
const PURE_NODE_MODULES = ['node:crypto', 'node:net'];

const IMPURE: readonly (readonly [what: string, pattern: RegExp])[] = [
  ['something asynchronous', /\b(?:async|await|Promise|setTimeout|setInterval|setImmediate|queueMicrotask)\b/],
  ['the clock', /\b(?:Date\.now|new Date|performance)\b/],
  ['randomness', /\b(?:Math\.random|randomUUID|randomBytes|randomInt|getRandomValues)\b/],
  ['the process', /\b(?:process\.|globalThis\b)/],
  ['output', /\bconsole\b/],
];

test('pure folders contain nothing impure', () => {
  const pure = sourceFiles().filter(
    ({ path }) => !path.endsWith('.test.ts') && PURE_FOLDERS.some((folder) => path.startsWith(folder)),
  );
  assert.deepEqual(pure.flatMap(impurities), []);
});

test('impurities() tells what makes a file impure', () => {
  const of = (text: string): readonly string[] => impurities(sourceFile('policy/a.ts', text));
  assert.deepEqual(of("import { createHash } from 'node:crypto'; // Date.now"), []);
  assert.deepEqual(of("import { readFileSync } from 'node:fs';"), ['policy/a.ts imports node:fs']);
  assert.deepEqual(of('const now = Date.now();'), ['policy/a.ts uses the clock']);
  assert.deepEqual(of('async function f() {}'), ['policy/a.ts uses something asynchronous']);
});

function impurities({ path, code, imports }: SourceFile): readonly string[] {
  const modules = imports.filter((name) => name.startsWith('node:') && !PURE_NODE_MODULES.includes(name));
  const uses = IMPURE.filter(([, pattern]) => pattern.test(code));
  return [...modules.map((name) => `${path} imports ${name}`), ...uses.map(([what]) => `${path} uses ${what}`)];
}
