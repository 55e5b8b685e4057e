// Documents keep up with the tree: a README in each folder, a reason for each dependency.
import assert from 'node:assert/strict';
import { existsSync, globSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { folderOf, ROOT, sourceFiles } from './source-files.ts';

const read = (path: string): string => readFileSync(join(ROOT, path), 'utf8');

test('every top-level folder has a README', () => {
  const folders = new Set(sourceFiles().map(({ path }) => folderOf(path)));
  assert.deepEqual(
    [...folders].filter((folder) => !existsSync(join(ROOT, folder, 'README.md'))),
    [],
  );
});

test('every dependency is pinned and has its reason in docs/adr', () => {
  const manifest = JSON.parse(read('package.json')) as Record<string, Record<string, string> | undefined>;
  const dependencies = Object.entries({ ...manifest['dependencies'], ...manifest['devDependencies'] });
  const decisions = globSync('docs/adr/*.md', { cwd: ROOT }).map(read).join('\n');
  assert.deepEqual(
    dependencies.filter(([name, version]) => !decisions.includes(`\`${name}\``) || !/^\d/.test(version)),
    [],
  );
});

test('links between documents lead somewhere', () => {
  const documents = globSync('**/*.md', { cwd: ROOT, exclude: ['**/node_modules/**', '.build/**'] });
  const broken = documents.flatMap((document) =>
    [...read(document).matchAll(/\]\((?!\w+:|#)([^)#\s]+)[^)]*\)/g)]
      .map(([, target]) => join(document, '..', target ?? ''))
      .filter((target) => !existsSync(join(ROOT, target)))
      .map((target) => `${document} → ${target}`),
  );
  assert.deepEqual(broken, []);
});
