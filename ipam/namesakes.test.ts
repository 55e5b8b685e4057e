// Machines that were given one name: cloned, configured alike, or one after the other while the first comes back.
import assert from 'node:assert/strict';
import { copyFileSync, mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { ipBlockName, ipBlockSchema } from '../datastore/resources/ip-block.ts';
import { type Store, StoreError } from '../datastore/store.ts';
import { parseCidr } from '../lib/cidr.ts';
import { unwrap } from '../lib/result.ts';
import { type IpamWorld, ipamWorld, ipPool, nodeObject, podRequest } from '../test/support/ipam-world.ts';
import type { IpamOptions } from './allocator.ts';
import type { Ipam } from './ipam.ts';

const NAME = 'node-1';
const machine = (world: IpamWorld, name: string, more: Partial<IpamOptions> = {}): Promise<Ipam> =>
  world.open(NAME, { journalPath: world.journalPath(name), bootId: `boot of ${name}`, stack: { netns: '1' }, ...more });

async function addressOf(ipam: Ipam, pod: string): Promise<string> {
  const outcome = await ipam.assign(podRequest(pod));
  if (outcome.kind !== 'assigned') throw new Error(outcome.why);
  return String(outcome.assignment.ips[0]);
}

const cidrsOf = (ipam: Ipam) => ipam.blocks().map(({ cidr }) => cidr);

test('a second machine of a name leaves the blocks of the first alone, and gets its own', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/22')], [NAME]);
  const first = await machine(world, 'first');
  await first.start();
  const a = await addressOf(first, 'a');
  const second = await machine(world, 'second');
  assert.deepEqual(await second.start(), { kind: 'adopted', conflicts: [], stranded: cidrsOf(first) });
  assert.match(
    second.stranded()[0]?.why ?? '',
    new RegExp(
      `another agent of this name holds it \\(journal "${first.holder.journal}", boot "boot of first", .*expected journal "${second.holder.journal}"`,
    ),
  );
  const b = await addressOf(second, 'b');
  assert.notEqual(a, b);
  await first.start();
  assert.equal(cidrsOf(first).length, 1);
  assert.ok(!cidrsOf(second).some((cidr) => cidrsOf(first).includes(cidr)));
});

test('a machine that comes back finds that its successor of the same name has its block', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/22')], [NAME]);
  const first = await machine(world, 'first');
  await first.start();
  await addressOf(first, 'a');
  const [block] = cidrsOf(first);
  first.close();
  assert.ok(block !== undefined);
  await world.store.delete('Node', undefined, NAME);
  await world.store.delete('IPBlock', undefined, ipBlockName(block));
  await world.store.create(nodeObject(NAME));
  const second = await machine(world, 'second');
  await second.start();
  await addressOf(second, 'b');
  assert.deepEqual(cidrsOf(second), [block], 'chosen by name');
  const back = await machine(world, 'first', { bootId: 'next boot of first' });
  assert.deepEqual(await back.start(), { kind: 'adopted', conflicts: [], stranded: [block] });
  assert.deepEqual(cidrsOf(back), []);
  assert.notEqual(await addressOf(back, 'c'), second.assignments()[0]?.ips[0]);
});

test('a pool whose only block another machine of the name has is exhausted, and the refusal says so', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/24')], [NAME]);
  const first = await machine(world, 'first');
  await addressOf(first, 'a');
  const second = await machine(world, 'second');
  await second.start();
  const refused = await second.assign(podRequest('b'));
  assert.equal(refused.kind, 'exhausted');
  assert.match(
    refused.kind === 'exhausted' ? refused.why : '',
    /10\.244\.0\.0\/24 of this node's name cannot be used, see "margay ipam check" for why$/,
  );
  const asked = await second.assign(podRequest('b', { requested: first.assignments()[0]?.ips ?? [] }));
  assert.equal(asked.kind === 'taken' && asked.by, 'node node-1 (another agent)');
  assert.equal((await second.claimFirstBlock()).kind, 'exhausted');
  first.close();
  await world.store.delete('IPBlock', undefined, '10-244-0-0-24');
  assert.match(await addressOf(second, 'b'), /^10\.244\.0\./);
});

test('a lost journal is made good in its network stack, and on its machine after a reboot', async (t) => {
  const uuid = { netns: '1', systemUuid: 'uuid' };
  const rows: { name: string; later: Partial<IpamOptions>; adopts: boolean }[] = [
    { name: 'the same stack', later: {}, adopts: true },
    { name: 'another namespace', later: { stack: { netns: '2', systemUuid: 'uuid' } }, adopts: false },
    { name: 'another machine', later: { bootId: 'x', stack: { netns: '1', systemUuid: 'other' } }, adopts: false },
    { name: 'an unknown machine', later: { bootId: 'x', stack: { netns: '1' } }, adopts: false },
    { name: 'another boot', later: { bootId: 'x' }, adopts: true },
    { name: 'a local datastore', later: { bootId: 'x', stack: { netns: '1' }, isDatastoreLocal: true }, adopts: true },
  ];
  for (const { name, later, adopts } of rows) {
    for (const way of ['start', 'claim']) {
      const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/22')], [NAME]);
      const first = await machine(world, 'first', { stack: uuid });
      await addressOf(first, 'a');
      const [block] = cidrsOf(first);
      first.close();
      const options = { bootId: 'boot of first', stack: uuid, ...later };
      const second = await machine(world, 'lost', options);
      if (way === 'start') await second.start();
      else await second.claimFirstBlock();
      assert.equal(block !== undefined && cidrsOf(second).includes(block), adopts, `${name}, by ${way}`);
      const objects = (await world.store.list('IPBlock')).items;
      const holder = objects.find(({ spec }) => spec.cidr === block)?.spec.holder;
      assert.deepEqual(holder, adopts ? second.holder : first.holder, `${name}, by ${way}`);
    }
  }
});

test('a journal that was copied to another machine gives nothing out of the blocks of the first', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/22')], [NAME]);
  const at = (systemUuid: string) => ({ bootId: `boot ${systemUuid}`, stack: { netns: '1', systemUuid } });
  const template = await machine(world, 'image', at('template'));
  await addressOf(template, 'a');
  const [block] = cidrsOf(template);
  template.close();
  const clone = await machine(world, 'image', at('clone'));
  const journal = clone.holder.journal;
  assert.equal(journal, template.holder.journal);
  assert.deepEqual(await clone.start(), { kind: 'adopted', conflicts: [], stranded: [block] });
  await addressOf(clone, 'b');
  assert.equal(cidrsOf(clone).includes(block ?? unwrap(parseCidr('0.0.0.0/0'))), false);
});

test('agents that run beside each other and cannot be told apart do not take the blocks that the other claims', async (t) => {
  const here = { bootId: 'b', stack: { netns: '1' } };
  const rows: { name: string; later: Partial<IpamOptions>; copies?: boolean }[] = [
    { name: 'one network stack', later: here },
    {
      name: 'what looks like two boots of one machine',
      later: { ...here, bootId: 'c', isDatastoreLocal: true },
    },
    { name: 'a copied journal in another namespace', later: { ...here, stack: { netns: '2' } }, copies: true },
  ];
  for (const { name, later, copies = false } of rows) {
    const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/22')], [NAME]);
    const paths = [world.journalPath('first'), world.journalPath('second')] as const;
    const before = await machine(world, 'first', here);
    await addressOf(before, 'before');
    before.close();
    mkdirSync(dirname(paths[1]), { recursive: true });
    if (copies) copyFileSync(...paths);
    const agents = [await machine(world, 'first', here), await machine(world, 'second', later)];
    for (const agent of agents) await agent.start();
    // As when each hears of what the other did, and has its first block claimed again.
    for (let round = 0; round < 3; round++) {
      for (const agent of agents) {
        await agent.start();
        await agent.claimFirstBlock();
      }
    }
    assert.deepEqual(
      agents.map((agent) => cidrsOf(agent).length),
      [1, 1],
      name,
    );
    const [first, second] = agents.map(cidrsOf);
    assert.notDeepEqual(first, second, name);
  }
});

test('of two agents that take up a block without a holder one has it', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/22')], [NAME]);
  const cidr = unwrap(parseCidr('10.244.1.0/24'));
  const spec = { cidr, pool: 'a', node: NAME };
  const metadata = { name: ipBlockName(cidr) };
  await world.store.create(ipBlockSchema.parse({ apiVersion: 'margay.dev/v1alpha1', kind: 'IPBlock', metadata, spec }));
  // Both have read the block before either writes.
  let waiting = 0;
  let go = (): void => {};
  const both = new Promise<void>((resolve) => {
    go = resolve;
  });
  const update: Store['update'] = async (resource) => {
    if (++waiting === 2) go();
    await both;
    return world.store.update(resource);
  };
  const store: Store = { ...world.store, update };
  const agents = [await machine(world, 'first', { store }), await machine(world, 'second', { store })];
  const outcomes = await Promise.all(agents.map((agent) => agent.start()));
  assert.deepEqual(
    outcomes.map(({ kind }) => kind),
    ['adopted', 'adopted'],
  );
  assert.deepEqual(agents.flatMap(cidrsOf), [cidr]);
  const owner = agents.find((agent) => cidrsOf(agent).length === 1);
  assert.deepEqual((await world.store.list('IPBlock')).items[0]?.spec.holder, owner?.holder);
});

test('a block that goes back is left alone when another agent of the name has it', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/29', { blockSize: 31 })], [NAME]);
  let nowMs = 0;
  const first = await machine(world, 'first', { monotonicMs: () => nowMs });
  for (const pod of ['a', 'b', 'c']) await addressOf(first, pod);
  for (const pod of ['a', 'b', 'c']) first.release(podRequest(pod).handle);
  await first.releaseEmptyBlocks();
  nowMs = 3_600_000;
  for (const { spec, ...object } of (await world.store.list('IPBlock')).items) {
    await world.store.update({ ...object, spec: { ...spec, holder: { journal: 'x', bootId: 'y', netns: 'z' } } });
  }
  await first.releaseEmptyBlocks();
  assert.equal(cidrsOf(first).length, 1);
  assert.equal((await world.store.list('IPBlock')).items.length, 2);
});

test('an agent starts with a datastore that takes no writes, and uses its blocks when it does', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/22', { blockSize: 31 })], [NAME]);
  const first = await machine(world, 'first');
  for (const pod of ['a', 'b', 'c']) await addressOf(first, pod);
  first.close();
  // One as an earlier release claimed it, and one that somebody deleted.
  const [one, other] = (await world.store.list('IPBlock')).items;
  assert.ok(one && other);
  const { holder: _, ...spec } = one.spec;
  await world.store.delete('IPBlock', undefined, one.metadata.name);
  await world.store.create({ ...one, metadata: { name: one.metadata.name }, spec });
  await world.store.delete('IPBlock', undefined, other.metadata.name);
  let isFull = true;
  const refusing =
    <A extends readonly unknown[], R>(write: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      if (isFull) throw new StoreError('unavailable', 'Cannot write to the datastore');
      return write(...args);
    };
  const { update, create } = world.store;
  const store = { ...world.store, update: refusing(update), create: refusing(create) } as Store;
  const again = await machine(world, 'first', { bootId: 'boot of first', store });
  assert.equal((await again.start()).kind, 'adopted');
  assert.equal(cidrsOf(again).length, 2);
  assert.equal((await again.assign(podRequest('d'))).kind, 'unavailable');
  assert.equal((await again.start('with-own-node')).kind, 'unavailable');
  assert.equal((await again.assign(podRequest('d'))).kind, 'unavailable');
  isFull = false;
  assert.equal((await again.start('with-own-node')).kind, 'adopted');
  assert.equal(cidrsOf(again).length, 2);
  await addressOf(again, 'd');
  for (const { spec } of (await world.store.list('IPBlock')).items) assert.deepEqual(spec.holder, again.holder);
});

test('a datastore that takes no writes gives no block to a new journal', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/22')], [NAME]);
  const first = await machine(world, 'first');
  await addressOf(first, 'a');
  first.close();
  const update = async (): Promise<never> => {
    throw new StoreError('unavailable', 'Cannot write to the datastore');
  };
  const options = { bootId: 'boot of first', store: { ...world.store, update } };
  const second = await machine(world, 'lost', options);
  assert.equal((await second.start()).kind, 'unavailable');
  assert.deepEqual(second.blocks(), []);
});
