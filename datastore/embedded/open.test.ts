// The embedded store passes the contract, and what is its own: files, broken rows, the memory of deletions.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, mkdtempSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { unwrap } from '../../lib/result.ts';
import { storeContract } from '../../test/contract/store.ts';
import { pod, policy } from '../../test/contract/store-objects.ts';
import { startWatcher } from '../../test/contract/watcher.ts';
import { ipPool } from '../../test/support/ipam-world.ts';
import { parseResource } from '../resources/parse.ts';
import { StoreError } from '../store.ts';
import { openEmbeddedStore } from './open.ts';

type Context = { readonly after: (end: () => void) => void };

function directory(t: Context): string {
  const path = mkdtempSync(join(tmpdir(), 'margay-store-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

storeContract('embedded store', {
  setUp: (t) => {
    const path = join(directory(t), 'datastore.db');
    return async () => openEmbeddedStore({ path });
  },
});

test('openEmbeddedStore() makes files that only their owner reads', (t) => {
  const path = join(directory(t), 'datastore.db');
  const store = openEmbeddedStore({ path });
  for (const suffix of ['', '-wal', '-shm', '-notify'])
    assert.equal(statSync(path + suffix).mode & 0o777, 0o600, suffix);
  store.close();
});

test('openEmbeddedStore() finds everything again', async (t) => {
  const path = join(directory(t), 'datastore.db');
  const first = openEmbeddedStore({ path });
  const created = await first.create(pod('web'));
  first.close();
  const second = openEmbeddedStore({ path, missing: 'refuse' });
  assert.deepEqual(await second.get('Pod', 'shop', 'web'), created);
  second.close();
});

const unusable: readonly { name: string; given: (path: string) => void; expected: RegExp }[] = [
  {
    name: 'a missing directory',
    given: (path) => rmSync(join(path, '..'), { recursive: true }),
    expected: /directory ".*" is missing, expected it to be there$/,
  },
  {
    name: 'a missing file when told to',
    given: () => {},
    expected: /the file is missing, expected a datastore \("margay apply --create-datastore" makes one\)$/,
  },
  { name: 'a directory', given: (path) => mkdirSync(path), expected: /not a file, expected a database file$/ },
  { name: 'a text file', given: (path) => writeFileSync(path, 'x'.repeat(5000)), expected: /file is not a database$/ },
  {
    name: 'a database of another program',
    given: (path) => execute(path, 'CREATE TABLE t (a)'),
    expected: /a database of another program, expected a datastore$/,
  },
  {
    name: 'a datastore of a later format',
    given: (path) => {
      openEmbeddedStore({ path }).close();
      execute(path, 'PRAGMA user_version = 99');
    },
    expected: /format 99, expected 1$/,
  },
];

for (const { name, given, expected } of unusable) {
  test(`openEmbeddedStore() refuses ${name}`, (t) => {
    const path = join(directory(t), 'datastore.db');
    given(path);
    assert.throws(() => openEmbeddedStore({ path, missing: 'refuse' }), isUnavailable(path, expected));
  });
}

test('openEmbeddedStore() refuses what it may not write', (t) => {
  const path = join(directory(t), 'datastore.db');
  openEmbeddedStore({ path }).close();
  chmodSync(join(path, '..'), 0o755);
  chmodSync(path, 0o444);
  asNobody(() =>
    assert.throws(
      () => openEmbeddedStore({ path }),
      isUnavailable(path, /not writable \(.*\), expected read and write permission$/),
    ),
  );
  asNobody(() => {
    const other = join(path, '..', 'other.db');
    assert.throws(() => openEmbeddedStore({ path: other }), isUnavailable(other, /not writable \(EACCES\)/));
  });
});

test('a stored object that breaks its schema is told as invalid and can be repaired', async (t) => {
  const path = join(directory(t), 'datastore.db');
  const store = openEmbeddedStore({ path });
  await store.create(policy('good'));
  await store.create(policy('bad'));
  execute(path, `UPDATE objects SET json = '{"apiVersion":"networking.k8s.io/v1"}' WHERE key LIKE '%bad'`);
  const watcher = startWatcher(store, ['NetworkPolicy']);
  await watcher.saw('in-sync');
  assert.deepEqual(watcher.lines(), ['invalid NetworkPolicy/shop/bad', 'put NetworkPolicy/shop/good', 'in-sync']);
  assert.deepEqual(
    (await store.list('NetworkPolicy')).items.map(({ metadata }) => metadata.name),
    ['good'],
  );
  await assert.rejects(store.get('NetworkPolicy', 'shop', 'bad'), { code: 'invalid' });
  await store.update(policy('bad'));
  await watcher.saw('put NetworkPolicy/shop/bad');
  execute(path, `UPDATE objects SET json = 'x' WHERE key LIKE '%bad'`);
  await store.delete('NetworkPolicy', 'shop', 'bad');
  await watcher.saw('delete NetworkPolicy/shop/bad');
  await watcher.stop();
  store.close();
});

test('a pool that cannot be read stays while blocks are cut from it, and can be repaired and removed', async (t) => {
  const path = join(directory(t), 'datastore.db');
  const store = openEmbeddedStore({ path });
  const pool = ipPool('a', '10.244.0.0/16');
  await store.create(pool);
  const spec = { cidr: '10.244.3.0/24', pool: 'a', node: 'node1' };
  const block = { apiVersion: 'margay.dev/v1alpha1', kind: 'IPBlock', metadata: { name: '10-244-3-0-24' }, spec };
  await store.create(unwrap(parseResource(block)));
  const damage = (): void => execute(path, `UPDATE objects SET json = 'x' WHERE key = 'IPPool/a'`);
  damage();
  await assert.rejects(store.delete('IPPool', undefined, 'a'), {
    code: 'invalid',
    message: /^Cannot delete IPPool "a": 1 block is cut from it, first "10\.244\.3\.0\/24" of node "node1"/,
  });
  await assert.rejects(store.update(ipPool('a', '10.245.0.0/16')), { code: 'invalid' });
  await store.update(pool);
  damage();
  await store.delete('IPBlock', undefined, '10-244-3-0-24');
  await store.delete('IPPool', undefined, 'a');
  assert.equal(await store.get('IPPool', undefined, 'a'), undefined);
  store.close();
});

test('watch() tells a watcher that fell too far behind to begin again', async (t) => {
  const path = join(directory(t), 'datastore.db');
  const store = openEmbeddedStore({ path, keepTombstones: 8 });
  const watching = store.watch(['Pod'], new AbortController().signal)[Symbol.asyncIterator]();
  assert.equal((await watching.next()).value?.kind, 'in-sync');
  for (let i = 0; i < 20; i++) {
    await store.create(pod(`p${i}`));
    await store.delete('Pod', 'shop', `p${i}`);
  }
  await assert.rejects(watching.next(), (error) => {
    assert.ok(error instanceof StoreError);
    assert.equal(error.code, 'gone');
    assert.match(error.message, /^Cannot watch from version 0: deletions up to version \d+ are forgotten, expected/);
    return true;
  });
  const objects = new DatabaseSync(path, { readOnly: true });
  assert.ok(Number(objects.prepare('SELECT count(*) AS n FROM objects').get()?.['n']) <= 9);
  objects.close();
  store.close();
});

test('watch() ends with an error when the file goes away or the store is closed', async (t) => {
  const path = join(directory(t), 'datastore.db');
  const removed = openEmbeddedStore({ path });
  const watcher = startWatcher(removed, ['Pod']);
  await watcher.saw('in-sync');
  renameSync(path, `${path}.old`);
  await assert.rejects(watcher.saw('delete Pod/shop/never'), isUnavailable(path, /the file was removed/));
  removed.close();
  const closed = openEmbeddedStore({ path });
  const second = startWatcher(closed, ['Pod']);
  await second.saw('in-sync');
  closed.close();
  await assert.rejects(second.saw('delete Pod/shop/never'), isUnavailable(path, /it was closed/));
  await assert.rejects(closed.create(pod('web')), isUnavailable(path, /it was closed/));
});

function execute(path: string, sql: string): void {
  const sqlite = new DatabaseSync(path);
  sqlite.exec(sql);
  sqlite.close();
}

/** File permissions do not bind root. */
function asNobody(action: () => void): void {
  const user = process.geteuid?.() ?? 0;
  if (user === 0) process.seteuid?.(65534);
  try {
    action();
  } finally {
    process.seteuid?.(user);
  }
}

function isUnavailable(path: string, expected: RegExp): (error: unknown) => boolean {
  return (error) => {
    assert.ok(error instanceof StoreError, String(error));
    assert.equal(error.code, 'unavailable');
    assert.ok(error.message.includes(`datastore "${path}"`), error.message);
    assert.match(error.message, expected);
    return true;
  };
}
