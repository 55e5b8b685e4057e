// The type checker and the linter as tests, so that one report tells about everything.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { test } from 'node:test';
import { ROOT } from './source-files.ts';

const TOOLS: readonly { readonly name: string; readonly args: readonly string[] }[] = [
  { name: 'tsc finds no type error', args: ['node_modules/typescript/bin/tsc', '--noEmit'] },
  { name: 'biome finds nothing to correct', args: ['node_modules/@biomejs/biome/bin/biome', 'check', '.'] },
];

for (const { name, args } of TOOLS) {
  test(name, () => {
    const { status, stdout, stderr } = spawnSync(process.execPath, args, { cwd: ROOT, encoding: 'utf8' });
    assert.equal(status, 0, `${stdout}${stderr}`);
  });
}
