// Who may import whom: lib ← datastore ← {policy, ipam, bgp} ← felix; cni beside felix; cli and lab on top.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { folderOf, type SourceFile, sourceFiles } from './source-files.ts';

/** Prefixes of paths that the files of a folder may import, besides their own folder. */
const ALLOWED: Readonly<Record<string, readonly string[]>> = {
  lib: [],
  datastore: ['lib/'],
  policy: ['lib/', 'datastore/resources/'],
  ipam: ['lib/', 'datastore/'],
  bgp: ['lib/', 'datastore/'],
  cni: ['lib/', 'ipam/', 'datastore/resources/'],
  felix: ['lib/', 'datastore/', 'policy/', 'ipam/', 'bgp/', 'cni/'],
  controller: ['lib/', 'datastore/', 'ipam/', 'bgp/'],
  lab: ['lib/', 'datastore/', 'policy/', 'ipam/', 'bgp/', 'cni/', 'felix/'],
  cli: ['lib/', 'datastore/', 'policy/', 'ipam/', 'bgp/', 'cni/', 'felix/', 'controller/', 'lab/'],
  test: [''],
};

test('folders import only what lies below them', () => {
  assert.deepEqual(sourceFiles().flatMap(strayImports), []);
});

test('strayImports() tells what a file may not import', () => {
  const file = (path: string, ...imports: readonly string[]): SourceFile => ({ path, text: '', code: '', imports });
  assert.deepEqual(strayImports(file('ipam/a.ts', 'lib/ip.ts', 'ipam/b.ts', 'zod', 'node:fs')), []);
  assert.deepEqual(strayImports(file('ipam/a.ts', 'bgp/b.ts')), ['ipam/a.ts imports bgp/b.ts']);
  assert.deepEqual(strayImports(file('lib/a.ts', 'test/support/netns.ts')), ['lib/a.ts imports test/support/netns.ts']);
  assert.deepEqual(strayImports(file('lib/a.test.ts', 'test/support/netns.ts')), []);
  assert.deepEqual(strayImports(file('new/a.ts', 'lib/ip.ts')), ['new/a.ts imports lib/ip.ts']);
});

function strayImports({ path, imports }: SourceFile): readonly string[] {
  const folder = folderOf(path);
  const allowed = [`${folder}/`, ...(ALLOWED[folder] ?? []), ...(path.endsWith('.test.ts') ? ['test/'] : [])];
  return imports
    .filter((name) => name.endsWith('.ts') && name.includes('/'))
    .filter((name) => !allowed.some((prefix) => name.startsWith(prefix)))
    .map((name) => `${path} imports ${name}`);
}
