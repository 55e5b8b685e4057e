import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipBlockSchema } from '../datastore/resources/ip-block.ts';
import { type Store, StoreError } from '../datastore/store.ts';
import { waitFor } from '../lib/wait-for.ts';
import { ipamWorld, ipPool } from '../test/support/ipam-world.ts';
import { createBlockSupply } from './block-supply.ts';

test('secure() goes on until there is a block, without another event', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/24')]);
  const foreign = ipBlockSchema.parse({
    apiVersion: 'margay.dev/v1alpha1',
    kind: 'IPBlock',
    metadata: { name: '10-244-0-0-24' },
    spec: { cidr: '10.244.0.0/24', pool: 'a', node: 'node-2' },
  });
  await world.store.create(foreign);
  let isAway = true;
  const store: Store = {
    ...world.store,
    list: async (...args) => {
      if (isAway) throw new StoreError('unavailable', 'Cannot reach the datastore');
      return await world.store.list(...args);
    },
  };
  const stop = new AbortController();
  const ipam = await world.open('node-1', { store });
  const supply = createBlockSupply(ipam, stop.signal);
  t.after(() => stop.abort());
  await supply.secure();
  assert.match(supply.problem() ?? '', /Cannot reach the datastore/);
  isAway = false;
  await waitFor('the next reason', () => supply.problem()?.includes('IPPool "a" has none left'), { timeoutMs: 30_000 });
  await world.store.delete('IPBlock', undefined, foreign.metadata.name);
  await waitFor('a block', () => supply.problem() === undefined, { timeoutMs: 30_000 });
  assert.deepEqual(
    ipam.blocks().map(({ cidr }) => cidr),
    ['10.244.0.0/24'],
  );
});
