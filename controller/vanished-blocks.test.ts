// Blocks of vanished Nodes on a real datastore: set free by the real controller, and kept whenever something speaks for them.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { pino } from 'pino';
import { openEmbeddedStore } from '../datastore/embedded/open.ts';
import { keyOf } from '../datastore/resources/index.ts';
import { parseResource } from '../datastore/resources/parse.ts';
import { type Store, StoreError } from '../datastore/store.ts';
import { unwrap } from '../lib/result.ts';
import { waitFor } from '../lib/wait-for.ts';
import { createCluster, releaseVanishedBlocks } from './vanished-blocks.ts';

const WAIT = { timeoutMs: 60_000 };
const ROOT = join(import.meta.dirname, '..');
const GRACE_MS = 1000;

test('margay controller releases the blocks of Nodes that are gone, and no others', async (t) => {
  const { path, store, create, blocks } = await cluster(t);
  await create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name: 'web' },
    spec: { nodeName: 'gone' },
    status: { phase: 'Running', podIP: '10.244.3.7' },
  });
  await create(block(1, 'n1'));
  await create(block(2, 'gone-too'));
  await create(block(3, 'gone'));
  const controller = spawn(process.execPath, [join(ROOT, 'cli/main.ts'), 'controller', '--datastore', path], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  const ended = new Promise((resolve) => controller.once('close', resolve));
  t.after(() => controller.kill('SIGKILL'));
  let said = '';
  controller.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const become = (expected: string): Promise<unknown> =>
    waitFor(`the blocks ${expected}`, async () => (await blocks()) === expected, WAIT);

  await become('1,3');
  await store.delete('Pod', 'shop', 'web');
  await become('1');
  // The last Node but one.
  await store.delete('Node', undefined, 'n1');
  await become('');
  controller.kill('SIGTERM');
  await ended;
  assert.equal(controller.exitCode, 0, said);
  const lines = said.match(/"block":"[^"]*","node":"[^"]*","msg":"released an address block: its Node is gone/g);
  assert.deepEqual(
    lines?.map((line) => line.slice(0, line.indexOf(',"msg"'))),
    [
      '"block":"10.244.2.0/24","node":"gone-too"',
      '"block":"10.244.3.0/24","node":"gone"',
      '"block":"10.244.1.0/24","node":"n1"',
    ],
  );
});

test('a block that is taken up again at the last moment stays', async (t) => {
  const { store, create, run, blocks } = await cluster(t);
  await create(block(1, 'gone'));
  const tried: unknown[] = [];
  run({
    ...store,
    delete: async (kind, namespace, name, version) => {
      if (tried.length === 0) {
        const found = await store.get('IPBlock', undefined, name);
        assert.ok(found);
        await store.update({ ...found, spec: { ...found.spec, node: 'n1' } });
      }
      await store.delete(kind, namespace, name, version).catch((error: unknown) => {
        tried.push(error instanceof StoreError && error.code);
        throw error;
      });
    },
  });
  await waitFor('an attempt', async () => tried.length > 0 || (await blocks()) === '', WAIT);
  assert.deepEqual(tried, ['conflict']);
  assert.equal(await blocks(), '1');
});

test('a Node or a Pod that only a last reading shows keeps its blocks', async (t) => {
  const { store, create, run, blocks } = await cluster(t);
  for (const [n, node] of ['back', 'busy', 'gone'].entries()) await create(block(n + 1, node));
  await create({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'back' } });
  await create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name: 'web' },
    spec: { nodeName: 'n1' },
    status: { podIP: '10.244.2.9' },
  });
  run({
    ...store,
    // One that is behind.
    watch: async function* (kinds, signal) {
      for await (const event of store.watch(kinds, signal)) {
        if (event.kind === 'in-sync' || !/^(Node\/back|Pod\/)/.test(event.key)) yield event;
      }
    },
  });
  await waitFor('the third block to go', async () => !(await blocks()).includes('3'), WAIT);
  assert.equal(await blocks(), '1,2');
});

test('a datastore that fails, or tells half of what it has, releases nothing', async (t) => {
  const { store, create, run, blocks } = await cluster(t);
  await create(block(1, 'n1'));
  await create(block(2, 'gone'));
  let isHalf = true;
  const asked = { early: 0, later: 0 };
  run({
    ...store,
    watch: async function* (kinds, signal) {
      if (!isHalf) return yield* store.watch(kinds, signal);
      // All but the Node, long enough and often enough for two looks, and then it breaks.
      for (let n = 0; n < 3; n++) {
        for await (const event of store.watch(kinds, signal)) {
          if (event.kind === 'in-sync') break;
          if (event.key !== 'Node/n1') yield event;
        }
        await delay(GRACE_MS * 1.1, undefined, { signal });
      }
      isHalf = false;
      throw new StoreError('unavailable', 'the watch broke');
    },
    list: async (kind, namespace) => {
      if (isHalf) asked.early++;
      else if (asked.later++ === 0) throw new StoreError('unavailable', 'no answer');
      return store.list(kind, namespace);
    },
  });
  await waitFor('the block of the Node that is gone to go', async () => !(await blocks()).includes('2'), WAIT);
  assert.equal(await blocks(), '1');
  assert.equal(asked.early, 0, 'half a snapshot is not even a reason to look closer');
  assert.ok(asked.later > 1, 'asked again after a failure');
});

test('only a Node that comes or goes is a reason to look at once', () => {
  const { accept } = createCluster();
  const put = (raw: unknown) => {
    const resource = unwrap(parseResource(raw));
    return { kind: 'put', key: keyOf(resource), resource, version: '1' } as const;
  };
  const node = put({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'n1' } });
  const gone = { kind: 'delete', key: node.key, version: '2' } as const;
  const unreadable = { kind: 'invalid', key: node.key, error: 'no', version: '3' } as const;
  const events = [node, node, put(block(1, 'n1')), gone, gone, unreadable, node];
  const news = 'other-nodes';
  assert.deepEqual(events.map(accept), [news, undefined, undefined, news, undefined, news, undefined]);
});

const block = (n: number, node: string) => ({
  apiVersion: 'margay.dev/v1alpha1',
  kind: 'IPBlock',
  metadata: { name: `10-244-${n}-0-24` },
  spec: { cidr: `10.244.${n}.0/24`, pool: 'pods', node },
});

/** A datastore with Nodes `n1` and `n2` and the shortest grace. */
async function cluster(t: TestContext) {
  const folder = mkdtempSync(join(tmpdir(), 'margay-controller-'));
  const path = join(folder, 'datastore.db');
  const store = openEmbeddedStore({ path });
  const ending = new AbortController();
  const running: Promise<void>[] = [];
  t.after(async () => {
    ending.abort();
    await Promise.all(running);
    store.close();
    rmSync(folder, { recursive: true, force: true });
  });
  const create = async (raw: unknown): Promise<void> => {
    await store.create(unwrap(parseResource(raw)));
  };
  for (const name of ['n1', 'n2']) await create({ apiVersion: 'v1', kind: 'Node', metadata: { name } });
  await create({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name: 'pods' },
    spec: { cidr: '10.244.0.0/16' },
  });
  await create({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPAMConfiguration',
    metadata: { name: 'default' },
    spec: { leakGraceSeconds: GRACE_MS / 1000 },
  });
  return {
    path,
    store,
    create,
    run: (through: Store): void => {
      running.push(releaseVanishedBlocks({ store: through, log: pino({ enabled: false }), signal: ending.signal }));
    },
    /** Third bytes of those that are there. */
    blocks: async (): Promise<string> =>
      (await store.list('IPBlock')).items.map(({ spec }) => spec.cidr.split('.')[2]).join(),
  };
}
