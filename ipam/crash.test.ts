// A node that stops between any two steps of claiming and giving back: whatever it was doing, the next start finds every
// block with exactly one owner and every address with at most one holder.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Store } from '../datastore/store.ts';
import { ipamWorld, ipPool, podRequest } from '../test/support/ipam-world.ts';
import type { Ipam } from './ipam.ts';

const STEPS = ['before', 'after'] as const;
/** Calls of the datastore in one life, counted by a run that does not stop. */
const MOST_CALLS = 40;

/** The nth call of the datastore never returns; `before`: it is not made either. */
function stopAt(store: Store, stop: { readonly call: number; readonly step: (typeof STEPS)[number] }) {
  let calls = 0;
  let stopped = (): void => {};
  const reached = new Promise<'stopped'>((resolve) => {
    stopped = () => resolve('stopped');
  });
  const through =
    <A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      const isLast = ++calls === stop.call;
      if (calls > stop.call || (isLast && stop.step === 'before')) return halt();
      const result = await call(...args);
      return isLast ? halt() : result;
    };
  const halt = (): Promise<never> => {
    stopped();
    return new Promise<never>(() => {});
  };
  const { get, list, create, update, delete: remove } = store;
  const wrapped = {
    ...store,
    get: through(get),
    list: through(list),
    create: through(create),
    update: through(update),
    delete: through(remove),
  } as Store;
  return { store: wrapped, reached };
}

const life = async (ipam: Ipam, later: () => void): Promise<'lived'> => {
  await ipam.start();
  await ipam.claimFirstBlock();
  for (const pod of ['a', 'b', 'c', 'd', 'e']) await ipam.assign(podRequest(pod));
  for (const pod of ['a', 'b', 'd']) ipam.release(podRequest(pod).handle);
  await ipam.releaseEmptyBlocks();
  later();
  await ipam.releaseEmptyBlocks();
  return 'lived';
};

test('a node that stops between any two steps leaves every block with one owner', async (t) => {
  let lived = false;
  for (let call = 1; call <= MOST_CALLS && !lived; call++) {
    for (const step of STEPS) {
      const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/28', { blockSize: 31 })], ['node-1', 'node-2']);
      let nowMs = 0;
      const stop = stopAt(world.store, { call, step });
      const first = await world.open('node-1', { store: stop.store, monotonicMs: () => nowMs });
      const later = (): void => {
        nowMs = 3_600_000;
      };
      lived = (await Promise.race([life(first, later), stop.reached])) === 'lived';
      const promised = new Map(first.assignments().map(({ pod, ips }) => [pod, ips]));
      first.close();

      const other = await world.open('node-2');
      await other.start();
      for (let i = 0; i < 16; i++) await other.assign(podRequest(`other-${i}`));
      const again = await world.open('node-1');
      assert.equal((await again.start()).kind, 'adopted');
      const where = `stopped ${step} call ${call}`;
      assert.deepEqual(new Map(again.assignments().map(({ pod, ips }) => [pod, ips])), promised, where);
      const owners = (await world.store.list('IPBlock')).items.map(({ spec }) => `${spec.cidr} ${spec.node}`);
      const known = [
        ...again.blocks().map(({ cidr }) => `${cidr} node-1`),
        ...other.blocks().map(({ cidr }) => `${cidr} node-2`),
      ];
      assert.deepEqual(owners.sort(), known.sort(), where);
      const ips = [again, other].flatMap((ipam) => ipam.assignments().flatMap((each) => each.ips));
      assert.equal(new Set(ips).size, ips.length, where);
      again.close();
      other.close();
    }
  }
  assert.ok(lived, `a life takes at most ${MOST_CALLS} calls`);
});
