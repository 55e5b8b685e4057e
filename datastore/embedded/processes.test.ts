// Several real processes on one store: nothing is lost or told out of order, and a killed writer leaves no half write.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { pod } from '../../test/contract/store-objects.ts';
import { startWatcher } from '../../test/contract/watcher.ts';
import { openEmbeddedStore } from './open.ts';

const WRITER = new URL('../../test/contract/store-writer.ts', import.meta.url).pathname;

function newPath(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'margay-store-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return join(directory, 'datastore.db');
}

function startWriter(t: TestContext, ...args: readonly string[]): ChildProcess {
  const child = spawn(process.execPath, [WRITER, ...args], { stdio: ['ignore', 'ignore', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  return child;
}

async function kill(child: ChildProcess): Promise<void> {
  const exited = once(child, 'exit');
  child.kill('SIGKILL');
  await exited;
}

async function succeeded(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  assert.equal(child.exitCode, 0);
}

test('four processes increment one counter and make objects of their own: no write is lost', {
  timeout: 120_000,
}, async (t) => {
  const path = newPath(t);
  const store = openEmbeddedStore({ path });
  await store.create(pod('counter', 'shop', { count: '0' }));
  const watcher = startWatcher(store, ['Pod']);
  await watcher.saw('in-sync');
  const writers = ['a', 'b', 'c', 'd'].map((name) => startWriter(t, path, name, '50'));
  await Promise.all(writers.map(succeeded));
  assert.equal((await store.get('Pod', 'shop', 'counter'))?.metadata.labels?.['count'], '200');
  const { items, version } = await store.list('Pod');
  assert.equal(items.length, 1 + 4 * 25);
  await waitFor('the last event', () => watcher.events().at(-1)?.version === version, { timeoutMs: 30_000 });

  const told = watcher.events().filter((event) => event.kind !== 'in-sync');
  const versions = told.slice(1).map((event) => Number(event.version));
  assert.deepEqual(
    versions,
    [...versions].sort((x, y) => x - y),
  );
  assert.equal(new Set(versions).size, versions.length);
  const last = new Map<string, string>();
  for (const event of told) {
    if (event.kind === 'put') last.set(event.key, event.version);
    else last.delete(event.key);
  }
  const stored = items.map((item) => [`Pod/shop/${item.metadata.name}`, item.metadata.resourceVersion]);
  assert.deepEqual([...last].sort(), stored.sort());
  await watcher.stop();
  store.close();
});

test('a change reaches a watcher in another process without a poll', async (t) => {
  const path = newPath(t);
  const store = openEmbeddedStore({ path });
  await store.create(pod('ping', 'shop', { step: '0' }));
  const echo = startWriter(t, path, 'echo');
  const watcher = startWatcher(store, ['Pod']);
  await watcher.saw('put Pod/shop/ready');
  const roundTrips: number[] = [];
  for (let step = 1; step <= 40; step++) {
    const begin = performance.now();
    await store.update(pod('ping', 'shop', { step: String(step) }));
    await waitFor('the echo', () => isEcho(watcher.events().at(-1), String(step)), { timeoutMs: 20_000, everyMs: 1 });
    roundTrips.push(performance.now() - begin);
  }
  await kill(echo);
  await watcher.stop();
  store.close();
  const median = roundTrips.sort((x, y) => x - y)[20] ?? Number.NaN;
  t.diagnostic(`round trip through another process: median ${median.toFixed(1)} ms`);
  // Polls alone would need all of their 500 ms each time: what comes back leaves at the tick of one, and is due at its next.
  assert.ok(median < 400, `${median} ms`);
});

function isEcho(
  event: ReturnType<ReturnType<typeof startWatcher>['events']>[number] | undefined,
  step: string,
): boolean {
  return event?.kind === 'put' && event.key === 'Pod/shop/pong' && event.resource.metadata.labels?.['step'] === step;
}

test('four processes create the file at the same time, and open and close it again and again', async (t) => {
  const path = newPath(t);
  await Promise.all(['a', 'b', 'c', 'd'].map((name) => succeeded(startWriter(t, path, `open-${name}`, '10'))));
  const store = openEmbeddedStore({ path, missing: 'refuse' });
  assert.equal((await store.list('Pod')).items.length, 40);
  store.close();
});

test('a writer killed at any moment leaves a whole store', { timeout: 120_000 }, async (t) => {
  const path = newPath(t);
  const store = openEmbeddedStore({ path });
  await store.create(pod('counter', 'shop', { count: '0' }));
  const countOf = async (): Promise<number> =>
    Number((await store.get('Pod', 'shop', 'counter'))?.metadata.labels?.['count']);
  for (let round = 0; round < 5; round++) {
    const before = await countOf();
    const writer = startWriter(t, path, `k${round}`, '1000000');
    await waitFor('some writes', async () => (await countOf()) > before + 20 + round, {
      timeoutMs: 30_000,
      everyMs: 1,
    });
    await kill(writer);
    await store.create(pod(`after-${round}`));
    const { items, version } = await store.list('Pod');
    const versions = items.map((item) => Number(item.metadata.resourceVersion));
    assert.equal(Math.max(...versions), Number(version));
    assert.equal(new Set(versions).size, versions.length);
  }
  store.close();
  const sqlite = new DatabaseSync(path);
  assert.equal(sqlite.prepare('PRAGMA integrity_check').get()?.['integrity_check'], 'ok');
  sqlite.close();
});
