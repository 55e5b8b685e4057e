// The contract of the datastore port: what every implementation must do. `open` gives another handle on the same, at
// first empty, store, as another process would have; `reset` begins a new store.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Store, StoreError, type StoreErrorCode } from '../../datastore/store.ts';
import { namespace, pod, policy, pool } from './store-objects.ts';
import { startWatcher } from './watcher.ts';

export type StoreHarness = {
  /** A new, empty store, gone when the test ends; the function opens further handles on it. */
  readonly setUp: (t: { readonly after: (end: () => void) => void }) => () => Promise<Store>;
};

export function storeContract(name: string, { setUp }: StoreHarness): void {
  const contract = (title: string, body: (a: Store, b: Store) => Promise<void>): void => {
    test(`${name}: ${title}`, async (t) => {
      const open = setUp(t);
      const stores = [await open(), await open()] as const;
      try {
        await body(...stores);
      } finally {
        for (const store of stores) store.close();
      }
    });
  };

  contract('create() fills in what the server decides', async (a, b) => {
    const created = await a.create(pod('web'));
    assert.match(String(created.metadata.uid), /^[0-9a-f-]{36}$/);
    assert.match(String(created.metadata.creationTimestamp), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal(created.metadata.generation, 1);
    assert.notEqual(created.metadata.resourceVersion, undefined);
    assert.deepEqual(await b.get('Pod', 'shop', 'web'), created);
  });

  contract('create() of what is there is refused', async (a, b) => {
    await a.create(pod('web'));
    await refused('exists', b.create(pod('web', 'shop', { app: 'other' })));
    assert.deepEqual((await a.get('Pod', 'shop', 'web'))?.metadata.labels, {});
  });

  contract('create() happens once among many', async (a, b) => {
    const tries = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? a : b).create(pod('web')));
    const outcomes = await Promise.allSettled(tries);
    assert.equal(outcomes.filter((outcome) => outcome.status === 'fulfilled').length, 1);
  });

  contract('fields that no schema knows are kept', async (a, b) => {
    const given = { ...pod('web'), spec: { containers: [], restartPolicy: 'Never', deep: { er: [1, null] } } };
    await a.create(given);
    assert.deepEqual((await b.get('Pod', 'shop', 'web'))?.spec, {
      containers: [],
      restartPolicy: 'Never',
      deep: { er: [1, null] },
    });
  });

  contract('get() of what is absent is undefined', async (a) => {
    assert.equal(await a.get('Pod', 'shop', 'web'), undefined);
    assert.equal(await a.get('Node', undefined, 'web'), undefined);
  });

  contract('update() swaps only the version that was read', async (a, b) => {
    const first = await a.create(pod('web'));
    const second = await b.update({ ...first, metadata: { ...first.metadata, labels: { app: 'web' } } });
    assert.notEqual(second.metadata.resourceVersion, first.metadata.resourceVersion);
    await refused('conflict', a.update({ ...first, metadata: { ...first.metadata, labels: { app: 'lost' } } }));
    assert.deepEqual(await a.get('Pod', 'shop', 'web'), second);
  });

  contract('update() without version writes last', async (a, b) => {
    const first = await a.create(pod('web'));
    const second = await b.update(pod('web', 'shop', { app: 'web' }));
    assert.equal(second.metadata.uid, first.metadata.uid);
    assert.deepEqual((await a.get('Pod', 'shop', 'web'))?.metadata.labels, { app: 'web' });
  });

  contract('update() that says nothing new changes no version', async (a) => {
    const first = await a.create(pod('web'));
    assert.deepEqual(await a.update(first), first);
  });

  contract('update() counts generations of the spec alone', async (a) => {
    const first = await a.create(policy('web'));
    const labelled = await a.update({ ...first, metadata: { ...first.metadata, labels: { a: 'b' } } });
    assert.equal(labelled.metadata.generation, 1);
    const respecified = await a.update({ ...labelled, spec: { podSelector: { matchLabels: { app: 'web' } } } });
    assert.equal(respecified.metadata.generation, 2);
  });

  contract('update() of what is absent or another incarnation is refused', async (a) => {
    await refused('not-found', a.update(pod('web')));
    const first = await a.create(pod('web'));
    await a.delete('Pod', 'shop', 'web');
    await a.create(pod('web'));
    await refused('conflict', a.update(first));
  });

  contract('delete() takes the version into account', async (a, b) => {
    const first = await a.create(pod('web'));
    const second = await b.update({ ...first, metadata: { ...first.metadata, labels: { a: 'b' } } });
    await refused('conflict', a.delete('Pod', 'shop', 'web', first.metadata.resourceVersion));
    await a.delete('Pod', 'shop', 'web', second.metadata.resourceVersion);
    assert.equal(await b.get('Pod', 'shop', 'web'), undefined);
    await refused('not-found', b.delete('Pod', 'shop', 'web'));
  });

  contract('list() is sorted by key and filtered by namespace', async (a, b) => {
    for (const [name, where] of [
      ['b', 'shop'],
      ['a', 'shop'],
      ['z', 'a'],
      ['a', 'shop-2'],
    ] as const) {
      await a.create(pod(name, where));
    }
    const all = (await b.list('Pod')).items.map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
    assert.deepEqual(all, ['a/z', 'shop-2/a', 'shop/a', 'shop/b']);
    const shop = await b.list('Pod', 'shop');
    assert.deepEqual(
      shop.items.map(({ metadata }) => metadata.name),
      ['a', 'b'],
    );
    assert.deepEqual((await b.list('Node')).items, []);
  });

  contract('an object that breaks its schema is refused and nothing is lost', async (a) => {
    const good = await a.create(policy('web'));
    const bad = { ...good, spec: { podSelector: {}, ingress: [{ ports: [{ protocol: 'TCP' as const, port: 0 }] }] } };
    await refused('invalid', a.update(bad), 'spec.ingress[0].ports[0].port: 0 is out of range, expected 1 to 65535');
    assert.deepEqual(await a.get('NetworkPolicy', 'shop', 'web'), good);
  });

  contract('an IPPool that overlaps another is refused', async (a, b) => {
    await a.create(pool('one', '10.244.0.0/16'));
    await refused('invalid', b.create(pool('two', '10.244.0.0/24')), 'of IPPool "one"');
    assert.equal((await a.list('IPPool')).items.length, 1);
  });

  contract('two overlapping IPPools at the same time: one wins', async (a, b) => {
    const outcomes = await Promise.allSettled([
      a.create(pool('one', '10.244.0.0/16')),
      b.create(pool('two', '10.244.0.0/17')),
    ]);
    assert.deepEqual(outcomes.map(({ status }) => status).sort(), ['fulfilled', 'rejected']);
  });

  contract('a namespace carries its name as a label and takes its objects with it', async (a, b) => {
    const created = await a.create(namespace('shop'));
    assert.deepEqual(created.metadata.labels, { 'kubernetes.io/metadata.name': 'shop' });
    await a.create(pod('web'));
    await a.create(pod('web', 'shop-2'));
    const watcher = startWatcher(b, ['Pod']);
    await watcher.saw('in-sync');
    await a.delete('Namespace', undefined, 'shop');
    await watcher.saw('delete Pod/shop/web');
    assert.deepEqual(
      (await b.list('Pod')).items.map(({ metadata }) => metadata.namespace),
      ['shop-2'],
    );
    await watcher.stop();
  });

  contract('watch() tells a snapshot, in-sync, and then every change', async (a, b) => {
    await a.create(pod('one'));
    await a.create(policy('web'));
    await a.create(pool('one', '10.244.0.0/16'));
    const watcher = startWatcher(b, ['Pod', 'NetworkPolicy']);
    await watcher.saw('in-sync');
    assert.deepEqual(watcher.lines(), ['put Pod/shop/one', 'put NetworkPolicy/shop/web', 'in-sync']);
    await a.create(pool('two', '10.245.0.0/16'));
    await a.create(pod('two'));
    await watcher.saw('put Pod/shop/two');
    await a.delete('Pod', 'shop', 'one');
    await watcher.saw('delete Pod/shop/one');
    await b.create(pod('three'));
    await watcher.saw('put Pod/shop/three');
    assert.deepEqual(watcher.lines().slice(3), ['put Pod/shop/two', 'delete Pod/shop/one', 'put Pod/shop/three']);
    const versions = watcher
      .events()
      .slice(2)
      .map(({ version }) => Number(version));
    assert.deepEqual(
      versions,
      [...versions].sort((x, y) => x - y),
    );
    await watcher.stop();
  });

  contract('watch() ends when it is told to, also before it began', async (a) => {
    const watcher = startWatcher(a, ['Pod']);
    await watcher.saw('in-sync');
    await watcher.stop();
    for await (const event of a.watch(['Pod'], AbortSignal.abort())) assert.fail(`told ${event.kind}`);
  });

  contract('watch() ends with the last state, whatever came between', async (a, b) => {
    const watcher = startWatcher(b, ['Pod']);
    await watcher.saw('in-sync');
    for (let i = 0; i < 200; i++) {
      if (i % 4 === 3) await a.delete('Pod', 'shop', 'web');
      else if (i % 4 === 0) await a.create(pod('web'));
      else await a.update(pod('web', 'shop', { step: String(i) }));
    }
    await a.create(pod('end'));
    await watcher.saw('put Pod/shop/end');
    const last = watcher.events().findLast((event) => event.kind !== 'in-sync' && event.key === 'Pod/shop/web');
    assert.equal(last?.kind, 'delete');
    await watcher.stop();
  });
}

async function refused(code: StoreErrorCode, call: Promise<unknown>, part = ''): Promise<void> {
  await assert.rejects(call, (error) => {
    assert.ok(error instanceof StoreError, String(error));
    assert.equal(error.code, code, error.message);
    assert.match(error.message, /^Cannot /);
    assert.ok(error.message.includes(part), error.message);
    return true;
  });
}
