import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { openEmbeddedStore } from '../datastore/embedded/open.ts';
import { parseResource } from '../datastore/resources/parse.ts';
import type { Store, WatchEvent } from '../datastore/store.ts';
import { createLog } from '../lib/log.ts';
import { unwrap } from '../lib/result.ts';
import { waitFor } from '../lib/wait-for.ts';
import { convertPolicy, isPolicyResource } from '../policy/convert/policy.ts';
import { feedDatastore } from './datastore-feed.ts';
import type { DatastoreEvent } from './model/events.ts';

const NODE = { apiVersion: 'v1', kind: 'Node', metadata: { name: 'node1' } };
const SHOP = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };

const text = (event: DatastoreEvent): string => {
  if (event.kind === 'in-sync') return 'in-sync';
  return `${event.change.value === undefined ? '-' : '+'} ${event.change.key}`;
};

function feed(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), 'margay-feed-'));
  const path = join(directory, 'datastore.db');
  const store = openEmbeddedStore({ path });
  const stop = new AbortController();
  t.after(() => {
    stop.abort();
    store.close();
    rmSync(directory, { recursive: true });
  });
  const events: string[] = [];
  const told: DatastoreEvent[] = [];
  const errors: (string | undefined)[] = [];
  const start = (watched: Store = store): void => {
    void feedDatastore({
      store: watched,
      node: 'node1',
      dispatch: (event) => {
        told.push(event);
        events.push(text(event));
      },
      onError: (why) => errors.push(why),
      log: createLog('test'),
      signal: stop.signal,
    });
  };
  return { store, path, events, told, errors, start };
}

test('feedDatastore() tells the snapshot, then every change', async (t) => {
  const { store, events, start } = feed(t);
  await store.create(unwrap(parseResource(NODE)));
  start();
  await waitFor('the snapshot', () => events.includes('in-sync'));
  await store.create(unwrap(parseResource(SHOP)));
  await store.delete('Namespace', undefined, 'shop');
  await waitFor('the changes', () => events.includes('- Namespace/shop'));
  assert.deepEqual(events.slice(0, 2), ['+ Node/node1', 'in-sync']);
});

test('feedDatastore() believes no snapshot without the own Node', async (t) => {
  const { store, events, errors, start } = feed(t);
  await store.create(unwrap(parseResource(SHOP)));
  start();
  await waitFor('the doubt', () => errors.length > 0);
  assert.match(String(errors[0]), /without Node "node1"/);
  assert.equal(events.includes('in-sync'), false);
  await store.create(unwrap(parseResource(NODE)));
  await waitFor('the snapshot', () => events.includes('in-sync'));
});

test('feedDatastore() removes nothing when a later snapshot is empty', async (t) => {
  const { store, events, errors, start } = feed(t);
  const other = feed(t);
  for (const raw of [NODE, SHOP]) await store.create(unwrap(parseResource(raw)));
  // The first watch ends after its snapshot, as a broken connection does; what answers next is another, empty store.
  let watches = 0;
  start({
    ...store,
    watch: (kinds, signal) => {
      watches++;
      return watches === 1 ? endingAfterSnapshot(store.watch(kinds, signal)) : other.store.watch(kinds, signal);
    },
  });
  await waitFor('the doubt', () => errors.some((why) => why?.includes('Cannot believe')));
  assert.deepEqual(
    events.filter((event) => event.startsWith('-')),
    [],
  );
});

async function* endingAfterSnapshot(watch: AsyncIterable<WatchEvent>): AsyncGenerator<WatchEvent> {
  for await (const event of watch) {
    yield event;
    if (event.kind === 'in-sync') return;
  }
}

test('feedDatastore() tells a policy that cannot be read as what is in force of it, and why', async (t) => {
  const { store, events, path, told, start } = feed(t);
  await store.create(unwrap(parseResource(NODE)));
  const spec = {
    tier: 'Admin',
    priority: 1,
    subject: { namespaces: {} },
    ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }],
  };
  const apiVersion = 'policy.networking.k8s.io/v1alpha2';
  await store.create(
    unwrap(parseResource({ apiVersion, kind: 'ClusterNetworkPolicy', metadata: { name: 'newer' }, spec })),
  );
  const sqlite = new DatabaseSync(path);
  sqlite.exec(`UPDATE objects SET json = replace(json, '"Deny"', '"Reject"') WHERE key = 'ClusterNetworkPolicy/newer'`);
  sqlite.close();
  start();
  await waitFor('the snapshot', () => events.includes('in-sync'));
  const event = told.find((one) => one.kind === 'resource' && one.change.key === 'ClusterNetworkPolicy/newer');
  assert.ok(event?.kind === 'resource' && event.change.value !== undefined && isPolicyResource(event.change.value));
  const why = 'action: "Reject", expected Accept, Deny or Pass';
  assert.equal(event.error, `Cannot accept ClusterNetworkPolicy "newer": spec.ingress[0].${why}`);
  const { ingress = [] } = convertPolicy(event.change.value);
  assert.deepEqual(
    ingress.map(({ action, peers }) => [action, peers]),
    [['deny', [{ kind: 'nothing', why }]]],
  );
});

test('feedDatastore() tells a pool that cannot be read as one that gives no more addresses', async (t) => {
  const { store, events, path, told, start } = feed(t);
  await store.create(unwrap(parseResource(NODE)));
  const spec = { cidr: '10.244.0.0/16', natOutgoing: true, allowedUses: ['Workload'] };
  await store.create(
    unwrap(parseResource({ apiVersion: 'projectcalico.org/v3', kind: 'IPPool', metadata: { name: 'a' }, spec })),
  );
  const sqlite = new DatabaseSync(path);
  sqlite.exec(`UPDATE objects SET json = replace(json, '"Workload"', '"Moon"') WHERE key = 'IPPool/a'`);
  sqlite.close();
  start();
  await waitFor('the snapshot', () => events.includes('in-sync'));
  const event = told.find((one) => one.kind === 'resource' && one.change.key === 'IPPool/a');
  assert.ok(event?.kind === 'resource' && event.change.value?.kind === 'IPPool');
  assert.match(String(event.error), /^Cannot accept IPPool "a": spec\.allowedUses/);
  const { cidr, natOutgoing, disabled } = event.change.value.spec;
  assert.deepEqual({ cidr, natOutgoing, disabled }, { cidr: '10.244.0.0/16', natOutgoing: true, disabled: true });
});
