// A process that writes to an embedded store beside a test: `PATH NAME COUNT` increments the counter COUNT times with
// compare-and-swap and makes and half the time deletes objects of its own; `PATH echo` answers `ping` with `pong`;
// `PATH open-NAME COUNT` opens the store anew for each of COUNT objects.
import { openEmbeddedStore } from '../../datastore/embedded/open.ts';
import { type Store, StoreError } from '../../datastore/store.ts';
import { pod } from './store-objects.ts';

const [path = '', name = '', count = '0'] = process.argv.slice(2);
if (name.startsWith('open-')) await reopen(path, name, Number(count));
else {
  const store = openEmbeddedStore({ path, missing: 'refuse' });
  await (name === 'echo' ? echo(store) : write(store, name, Number(count)));
}

async function reopen(path: string, name: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const store = openEmbeddedStore({ path });
    await store.create(pod(`${name}-${i}`));
    store.close();
  }
}

async function write(store: Store, name: string, count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    await increment(store);
    await store.create(pod(`${name}-${i}`));
    if (i % 2 === 0) await store.delete('Pod', 'shop', `${name}-${i}`);
  }
  store.close();
}

async function increment(store: Store): Promise<void> {
  for (;;) {
    const counter = await store.get('Pod', 'shop', 'counter');
    if (counter === undefined) throw new Error('Cannot increment: the counter is absent');
    const next = String(Number(counter.metadata.labels?.['count']) + 1);
    try {
      await store.update({ ...counter, metadata: { ...counter.metadata, labels: { count: next } } });
      return;
    } catch (error) {
      if (!(error instanceof StoreError) || error.code !== 'conflict') throw error;
    }
  }
}

async function echo(store: Store): Promise<void> {
  await store.create(pod('pong'));
  const forever = new AbortController().signal;
  for await (const event of store.watch(['Pod'], forever)) {
    if (event.kind === 'in-sync') await store.create(pod('ready'));
    if (event.kind !== 'put' || event.key !== 'Pod/shop/ping') continue;
    await store.update(pod('pong', 'shop', event.resource.metadata.labels));
  }
}
