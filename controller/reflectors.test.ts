// The real controller on a real datastore: what it does to nodes.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openEmbeddedStore } from '../datastore/embedded/open.ts';
import { parseResource } from '../datastore/resources/parse.ts';
import { unwrap } from '../lib/result.ts';
import { waitFor } from '../lib/wait-for.ts';

const WAIT = { timeoutMs: 60_000 };
const ROOT = join(import.meta.dirname, '..');

test('margay controller chooses route reflectors, replaces one, and takes them back', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'margay-controller-'));
  const path = join(folder, 'datastore.db');
  const store = openEmbeddedStore({ path });
  t.after(() => {
    store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const put = async (raw: unknown): Promise<void> => {
    const resource = unwrap(parseResource(raw));
    const there = await store.get(resource.kind, undefined, resource.metadata.name);
    await (there === undefined ? store.create(resource) : store.update(resource));
  };
  const configure = (spec: object): Promise<void> =>
    put({ apiVersion: 'projectcalico.org/v3', kind: 'BGPConfiguration', metadata: { name: 'default' }, spec });
  for (const name of ['n1', 'n2', 'n3']) await put({ apiVersion: 'v1', kind: 'Node', metadata: { name } });
  const chosen = async (): Promise<string> =>
    (await store.list('Node')).items
      .filter(({ metadata }) => metadata.annotations?.['projectcalico.org/RouteReflectorClusterID'] !== undefined)
      .map(({ metadata }) => metadata.name)
      .join();
  const becomes = async (expected: string): Promise<void> => {
    await waitFor(expected, async () => (await chosen()) === expected, WAIT).catch(async () =>
      assert.equal(await chosen(), expected),
    );
  };

  const args = [join(ROOT, 'cli/main.ts'), 'controller', '--datastore', path, '--settle-seconds', '1'];
  const controller = spawn(process.execPath, args, { stdio: 'ignore' });
  const ended = new Promise((resolve) => controller.once('exit', resolve));
  t.after(() => controller.kill('SIGKILL'));
  await configure({ routeReflectors: { perZone: 2 } });
  await becomes('n1,n2');

  // Two at every moment: the third is there before the first goes.
  const n1 = await store.get('Node', undefined, 'n1');
  assert.ok(n1);
  const seen = new Set<string>();
  await store.update({ ...n1, status: { ...n1.status, conditions: [{ type: 'Ready', status: 'False' }] } });
  await waitFor(
    'the replacement',
    async () => {
      seen.add(await chosen());
      return seen.has('n2,n3');
    },
    WAIT,
  );
  const between = [...seen].filter((names) => names !== 'n1,n2' && names !== 'n2,n3');
  assert.ok(
    between.every((names) => names === 'n1,n2,n3'),
    between.join(' '),
  );
  // A moment may pass unseen, the order of the writes does not.
  const versionOf = async (name: string): Promise<number> =>
    Number((await store.get('Node', undefined, name))?.metadata.resourceVersion);
  assert.ok((await versionOf('n3')) < (await versionOf('n1')));

  await configure({ nodeToNodeMeshEnabled: true });
  await becomes('');
  controller.kill('SIGTERM');
  await ended;
  assert.equal(controller.exitCode, 0);
});
