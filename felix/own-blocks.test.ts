import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import { resourceKey } from '../datastore/resources/index.ts';
import { ipBlockName } from '../datastore/resources/ip-block.ts';
import { type Store, StoreError } from '../datastore/store.ts';
import type { Ipam } from '../ipam/ipam.ts';
import { type Cidr, cidrContains } from '../lib/cidr.ts';
import type { Ip } from '../lib/ip.ts';
import { waitFor } from '../lib/wait-for.ts';
import { type IpamWorld, ipamWorld, ipPool, nodeObject, podRequest } from '../test/support/ipam-world.ts';
import { feedDatastore } from './datastore-feed.ts';
import { followOwnBlocks } from './own-blocks.ts';

type RunningNode = IpamWorld & {
  readonly ipam: Ipam;
  /** Of the pod `first`. */
  readonly block: Cidr;
  /** Comparisons so far. */
  readonly compared: () => number;
  /** Why the datastore is not believed now. */
  readonly problem: () => string | undefined;
};

/** A node with a pod, which hears of its blocks by the real watch. */
async function runningNode(t: TestContext, watched = (store: Store): Store => store): Promise<RunningNode> {
  const stop = new AbortController();
  const { signal } = stop;
  // Before the world's own clean-up: nothing asks a datastore that is closed.
  t.after(() => stop.abort());
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/16')], ['node-1']);
  const ipam = await world.open('node-1');
  await assigned(ipam, 'first');
  const [block] = cidrsOf(ipam);
  assert.ok(block !== undefined);
  const log = pino({ level: 'silent' });
  let compared = 0;
  let problem: string | undefined;
  const own = followOwnBlocks({ node: 'node-1', ipam, onCompared: () => compared++, log, signal });
  void feedDatastore({
    ...{ store: watched(world.store), node: 'node-1', log, signal },
    dispatch: own.accept,
    onError: (why) => {
      problem = why;
    },
  });
  await waitFor('the first comparison', () => compared > 0);
  return { ...world, ipam, block, compared: () => compared, problem: () => problem };
}

async function assigned(ipam: Ipam, pod: string): Promise<Ip> {
  const outcome = await ipam.assign(podRequest(pod));
  if (outcome.kind !== 'assigned') throw new Error(outcome.why);
  const [ip] = outcome.assignment.ips;
  assert.ok(ip !== undefined);
  return ip;
}

const cidrsOf = (ipam: Ipam): readonly Cidr[] => ipam.blocks().map(({ cidr }) => cidr);

const stored = ({ store }: IpamWorld, block: Cidr) => store.get('IPBlock', undefined, ipBlockName(block));

async function giveTo(world: IpamWorld, block: Cidr, node: string): Promise<void> {
  const object = await stored(world, block);
  assert.ok(object);
  await world.store.update({ ...object, spec: { ...object.spec, node } });
}

test('an IPBlock that is deleted under live pods is created again and used on', async (t) => {
  const world = await runningNode(t);
  const { ipam, block, store } = world;
  await store.delete('IPBlock', undefined, ipBlockName(block));
  await waitFor('the block', async () => (await stored(world, block))?.spec.node === 'node-1');
  await assigned(ipam, 'second');
  assert.deepEqual(cidrsOf(ipam), [block]);
});

test('a block whose object cannot be read is doubted until it can', async (t) => {
  const stop = new AbortController();
  t.after(() => stop.abort());
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/16')], ['node-1']);
  const ipam = await world.open('node-1');
  await assigned(ipam, 'first');
  const [block] = cidrsOf(ipam);
  assert.ok(block !== undefined);
  const object = await stored(world, block);
  assert.ok(object);
  const key = resourceKey('IPBlock', undefined, ipBlockName(block));
  let compared = 0;
  const log = pino({ level: 'silent' });
  const { accept } = followOwnBlocks({
    node: 'node-1',
    ...{ ipam, onCompared: () => compared++, log, signal: stop.signal },
  });
  // Told by hand: with the watch, the block that is claimed meanwhile would be news too.
  accept({ kind: 'in-sync', version: '3' });
  await waitFor('the first comparison', () => compared === 1);
  world.damage(key);
  accept({ kind: 'resource', change: { key, value: undefined }, error: 'it is damaged', version: '4' });
  await waitFor('the second comparison', () => compared === 2);
  assert.deepEqual(cidrsOf(ipam), [block]);
  const elsewhere = await assigned(ipam, 'second');
  assert.ok(!cidrContains(block, elsewhere), elsewhere);
  const { resourceVersion: _, ...metadata } = object.metadata;
  const value = await world.store.update({ ...object, metadata });
  accept({ kind: 'resource', change: { key, value }, version: '6' });
  await waitFor('the third comparison', () => compared === 3);
  const here = await assigned(ipam, 'third');
  assert.ok(cidrContains(block, here), here);
});

test('a block that another node gets is given up, its pods stay, and it is taken up when it comes back', async (t) => {
  const world = await runningNode(t);
  const { ipam, block } = world;
  await giveTo(world, block, 'node-2');
  await waitFor('the block to be given up', () => !cidrsOf(ipam).includes(block));
  const second = await assigned(ipam, 'second');
  assert.ok(!cidrContains(block, second), second);
  assert.equal(ipam.find(podRequest('first').handle)?.pod, 'first');
  await giveTo(world, block, 'node-1');
  await waitFor('the block to be taken up', () => cidrsOf(ipam).includes(block));
});

test('a block that another agent of this name gets is given up, and named until it is gone', async (t) => {
  const world = await runningNode(t);
  const { ipam, block, store } = world;
  const object = await stored(world, block);
  assert.ok(object);
  // In the same network stack, as after a lost journal: but this agent runs.
  const holder = { ...ipam.holder, journal: 'another' };
  await store.update({ ...object, spec: { ...object.spec, holder } });
  await waitFor('the block to be given up', () => !cidrsOf(ipam).includes(block));
  const second = await assigned(ipam, 'second');
  assert.ok(!cidrContains(block, second), second);
  assert.equal(ipam.find(podRequest('first').handle)?.pod, 'first');
  const [stranded] = ipam.stranded();
  assert.equal(stranded?.cidr, block);
  assert.match(stranded?.why ?? '', /another agent of this name holds it \(journal "another", .* delete IPBlock "/);
  assert.deepEqual((await stored(world, block))?.spec.holder, holder, 'nothing is taken back');
  await store.delete('IPBlock', undefined, ipBlockName(block));
  await waitFor('the block to be named no more', () => ipam.stranded().length === 0);
});

test('the holder of a block is restored when somebody writes an earlier one of this agent', async (t) => {
  const world = await runningNode(t);
  const { ipam, block, store } = world;
  const object = await stored(world, block);
  assert.ok(object);
  const holder = { ...ipam.holder, bootId: 'an earlier one' };
  await store.update({ ...object, spec: { ...object.spec, holder } });
  await waitFor('the holder', async () => (await stored(world, block))?.spec.holder?.bootId === ipam.holder.bootId);
  assert.deepEqual(cidrsOf(ipam), [block]);
});

test('doubt() keeps a block from being assigned from until it is compared', async (t) => {
  const { ipam, block, compared, store } = await runningNode(t);
  ipam.doubt(block);
  const elsewhere = await assigned(ipam, 'second');
  assert.ok(!cidrContains(block, elsewhere), elsewhere);
  const before = compared();
  await store.delete('Node', undefined, 'node-1');
  assert.equal((await ipam.start('with-own-node')).kind, 'unavailable');
  await store.create(nodeObject('node-1'));
  await waitFor('the next comparison', () => compared() > before);
  const here = await assigned(ipam, 'third');
  assert.ok(cidrContains(block, here), here);
});

test('a datastore that was emptied takes no block away', async (t) => {
  const world = await runningNode(t);
  const { ipam, block, store, compared } = world;
  const before = compared();
  await store.delete('Node', undefined, 'node-1');
  await store.delete('IPBlock', undefined, ipBlockName(block));
  await store.delete('IPPool', undefined, 'a');
  let pods = 0;
  await waitFor('the block to be doubted', () =>
    assigned(ipam, `pod-${pods++}`).then(
      () => false,
      (error: Error) => /IPPool "a" is not there/.test(error.message),
    ),
  );
  assert.deepEqual(cidrsOf(ipam), [block]);
  await store.create(ipPool('a', '10.244.0.0/16'));
  await store.create(nodeObject('node-1'));
  await waitFor('the comparison with the new datastore', () => compared() > before, { timeoutMs: 30_000 });
  assert.equal((await stored(world, block))?.spec.node, 'node-1');
});

test('a block that another node got while nothing was heard is doubted, also when the Node is gone', async (t) => {
  let breakWatch = (): void => {};
  const broken = { isSo: false };
  const breakable = (store: Store): Store => ({
    ...store,
    watch: async function* (kinds, signal) {
      if (broken.isSo) throw new StoreError('unavailable', 'the watch is broken');
      const stop = new AbortController();
      breakWatch = () => stop.abort();
      yield* store.watch(kinds, AbortSignal.any([signal, stop.signal]));
    },
  });
  const world = await runningNode(t, breakable);
  const { ipam, block, problem } = world;
  broken.isSo = true;
  breakWatch();
  await waitFor('the watch to break', () => problem() !== undefined);
  await world.store.delete('Node', undefined, 'node-1');
  await giveTo(world, block, 'node-2');
  broken.isSo = false;
  await waitFor('the next snapshot', () => /without Node "node-1"/.test(problem() ?? ''));
  const second = await assigned(ipam, 'second');
  assert.ok(!cidrContains(block, second), second);
});

test('blocks that were claimed without the Node get its uid when it is there', async (t) => {
  const world = await runningNode(t);
  const { block, store } = world;
  await store.delete('Node', undefined, 'node-1');
  const { uid } = (await store.create(nodeObject('node-1'))).metadata;
  await waitFor('the uid', async () => (await stored(world, block))?.spec.nodeUid === uid);
});
