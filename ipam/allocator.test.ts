import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipBlockName, ipBlockSchema } from '../datastore/resources/ip-block.ts';
import { type Store, StoreError } from '../datastore/store.ts';
import { parseCidr } from '../lib/cidr.ts';
import { type Ip, parseIp } from '../lib/ip.ts';
import { unwrap } from '../lib/result.ts';
import { ipamWorld, ipPool, nodeObject, podRequest } from '../test/support/ipam-world.ts';
import type { AssignOutcome, OwnedBlock } from './ipam.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));
const block = (cidr: string, node: string, pool = 'a') =>
  ipBlockSchema.parse({
    apiVersion: 'margay.dev/v1alpha1',
    kind: 'IPBlock',
    metadata: { name: ipBlockName(unwrap(parseCidr(cidr))) },
    spec: { cidr, pool, node },
  });

function ipsOf(outcome: AssignOutcome): readonly Ip[] {
  if (outcome.kind !== 'assigned') throw new Error(`${outcome.kind}: ${outcome.why}`);
  return outcome.assignment.ips;
}

test('assign() gives a first pod an address of a block that the datastore knows', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/16')]);
  const ipam = await world.open('node-1');
  const changes: (readonly OwnedBlock[])[] = [];
  ipam.onBlocksChanged((blocks) => changes.push(blocks));
  const outcome = await ipam.assign(podRequest('web', { uid: 'u1' }));
  const stored = (await world.store.list('IPBlock')).items.map(({ spec, metadata }) => ({
    cidr: spec.cidr,
    pool: spec.pool,
    node: spec.node,
    name: metadata.name,
  }));
  const { cidr = '', pool, name } = ipam.blocks()[0] ?? {};
  assert.deepEqual(stored, [{ cidr, pool, node: 'node-1', name }]);
  assert.deepEqual(changes, [ipam.blocks()]);
  assert.deepEqual(ipsOf(outcome), [cidr.replace('/24', '')]);
  assert.ok(outcome.kind === 'assigned');
  const { sequence, state, uid, namespace } = outcome.assignment;
  assert.deepEqual(
    { sequence, state, uid, namespace },
    { sequence: 1, state: 'assigned', uid: 'u1', namespace: 'shop' },
  );
});

test('assign() answers a repeated request with the same assignment', async (t) => {
  const ipam = await (await ipamWorld(t, [ipPool('a', '10.244.0.0/16')])).open('node-1');
  const both = await Promise.all([ipam.assign(podRequest('web')), ipam.assign(podRequest('web'))]);
  assert.deepEqual(both[0], both[1]);
  assert.deepEqual(await ipam.assign(podRequest('web')), both[0]);
  assert.equal(ipam.assignments().length, 1);
});

test('claimFirstBlock() gives a node its block before the first pod, once', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/16'), ipPool('six', 'fd00:10:244::/48')]);
  const ipam = await world.open('node-1');
  assert.deepEqual(await ipam.claimFirstBlock(), { kind: 'ready' });
  assert.deepEqual(await ipam.claimFirstBlock(), { kind: 'ready' });
  assert.deepEqual(
    ipam.blocks().map(({ pool }) => pool),
    ['a', 'six'],
  );
});

test('claimFirstBlock() says why there is none', async (t) => {
  const ipam = await (await ipamWorld(t, [ipPool('a', '10.244.0.0/16', { disabled: true })])).open('node-1');
  assert.deepEqual(await ipam.claimFirstBlock(), {
    kind: 'no-pool',
    why:
      'Cannot assign an IPv4 address: none serves this pod (IPPool "a": spec.disabled is true), ' +
      'expected an enabled IPPool of that family',
  });
});

test('assign() uses all addresses of a tiny pool, then says which pool is exhausted', async (t) => {
  const ipam = await (await ipamWorld(t, [ipPool('tiny', '10.244.9.4/30', { blockSize: 30 })])).open('node-1');
  const ips: Ip[] = [];
  for (const pod of ['a', 'b', 'c', 'd']) ips.push(...ipsOf(await ipam.assign(podRequest(pod))));
  assert.deepEqual(ips, ['10.244.9.4', '10.244.9.5', '10.244.9.6', '10.244.9.7']);
  const refused = await ipam.assign(podRequest('e'));
  assert.ok(refused.kind === 'exhausted');
  assert.deepEqual(refused.pools, ['tiny']);
  assert.match(
    refused.why,
    /: the blocks of this node are full and IPPool "tiny" has none left, expected a free block$/,
  );
  ipam.release(podRequest('b').handle);
  assert.deepEqual(ipsOf(await ipam.assign(podRequest('e'))), ['10.244.9.5']);
});

test('assign() says of an exhausted pool whether the node has a block, and what is left in it', async (t) => {
  const world = await ipamWorld(t, [ipPool('tiny', '10.244.9.4/30', { blockSize: 30 })]);
  const reserved = [unwrap(parseCidr('10.244.9.4/31'))];
  const first = await world.open('node-1', { reserved: () => reserved });
  for (const pod of ['a', 'b']) await first.assign(podRequest(pod));
  const [full, other] = [await first.assign(podRequest('c')), await world.open('node-2')];
  const none = await other.assign(podRequest('d'));
  const sentence = 'Cannot assign an IPv4 address: ';
  assert.deepEqual(
    [full, none].map((outcome) => 'why' in outcome && outcome.why),
    [
      `${sentence}in the blocks of this node only reserved addresses are left and IPPool "tiny" has none left that is not reserved, expected a free block`,
      `${sentence}this node has no block and IPPool "tiny" has none left, expected a free block`,
    ],
  );
});

test('assign() reuses addresses first in, first out, also after a restart', async (t) => {
  const world = await ipamWorld(t, [ipPool('tiny', '10.244.9.4/30', { blockSize: 30 })]);
  const first = await world.open('node-1');
  for (const pod of ['a', 'b', 'c']) await first.assign(podRequest(pod));
  for (const pod of ['c', 'a', 'b']) first.release(podRequest(pod).handle);
  first.close();
  const second = await world.open('node-1');
  const order: Ip[] = [];
  for (const pod of ['p', 'q', 'r', 's']) order.push(...ipsOf(await second.assign(podRequest(pod))));
  assert.deepEqual(order, ['10.244.9.7', '10.244.9.6', '10.244.9.4', '10.244.9.5']);
});

test('assign() claims more blocks when full, and concurrent requests share a claim', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/20', { blockSize: 28 })]);
  const ipam = await world.open('node-1');
  const outcomes = await Promise.all(Array.from({ length: 100 }, (_, i) => ipam.assign(podRequest(`pod-${i}`))));
  assert.equal(new Set(outcomes.flatMap(ipsOf)).size, 100);
  assert.equal(ipam.blocks().length, 7);
  assert.equal((await world.store.list('IPBlock')).items.length, 7);
});

test('assign() gives both families or none', async (t) => {
  const pools = [ipPool('a', '10.244.0.0/16'), ipPool('six', 'fd00:10:244::/127', { blockSize: 128 })];
  const ipam = await (await ipamWorld(t, pools)).open('node-1');
  assert.match(ipsOf(await ipam.assign(podRequest('a', { families: [6, 4] }))).join(' '), /^fd00:10:244::1? 10\.244\./);
  assert.equal(ipsOf(await ipam.assign(podRequest('b', { families: [4, 6] }))).length, 2);
  const refused = await ipam.assign(podRequest('c', { families: [4, 6] }));
  assert.equal(refused.kind, 'exhausted');
  assert.equal(ipam.find(podRequest('c').handle), undefined);
  const third = ipsOf(await ipam.assign(podRequest('d')))[0];
  assert.match(third ?? '', /\.2$/);
});

test('assign() works from an own block while the datastore is away, and says so when it needs it', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/24', { blockSize: 31 })]);
  let calls = 0;
  let up = true;
  const through =
    <A extends readonly unknown[], R>(call: (...args: A) => Promise<R>) =>
    async (...args: A): Promise<R> => {
      calls++;
      if (!up) throw new StoreError('unavailable', 'Cannot reach the datastore');
      return call(...args);
    };
  const store = { ...world.store, list: through(world.store.list), create: through(world.store.create) };
  const ipam = await world.open('node-1', { store: store as typeof world.store });
  await ipam.claimFirstBlock();
  calls = 0;
  up = false;
  for (const pod of ['a', 'b']) ipsOf(await ipam.assign(podRequest(pod)));
  assert.equal(calls, 0);
  const refused = await ipam.assign(podRequest('c'));
  assert.ok(refused.kind === 'unavailable');
  assert.match(refused.why, /a new block is needed, and that failed: Cannot reach the datastore/);
  ipam.close();
  const again = await world.open('node-1', { store: store as typeof world.store });
  assert.equal((await again.start()).kind, 'unavailable');
  assert.equal(again.release(podRequest('a').handle)?.pod, 'a');
  ipsOf(await again.assign(podRequest('c')));
  up = true;
  assert.deepEqual(await again.start(), { kind: 'adopted', conflicts: [], stranded: [] });
  ipsOf(await again.assign(podRequest('d')));
});

test('assign() serves a requested address, or says who has it', async (t) => {
  const pools = [ipPool('a', '10.244.0.0/16'), ipPool('off', '10.245.0.0/16', { disabled: true })];
  const world = await ipamWorld(t, pools);
  await world.store.create(block('10.244.8.0/24', 'node-2'));
  const ipam = await world.open('node-1');
  const ask = (pod: string, text: string) => ipam.assign(podRequest(pod, { requested: [ip(text)] }));
  assert.deepEqual(ipsOf(await ask('a', '10.244.7.7')), ['10.244.7.7']);
  const rows = [
    {
      ...{ text: '10.244.7.7', kind: 'taken', by: podRequest('a').handle },
      why: 'pod "shop/a" has it, expected a free address',
    },
    {
      ...{ text: '10.244.8.7', kind: 'taken', by: 'node node-2' },
      why: 'its block "10.244.8.0/24" is that of node "node-2", expected a pod on that node',
    },
    {
      ...{ text: '10.245.0.7', kind: 'no-pool', by: undefined },
      why: 'no IPPool that serves pods has it (IPPool "off": spec.disabled is true)',
    },
    { text: '10.99.0.7', kind: 'no-pool', by: undefined, why: 'no IPPool that serves pods has it' },
  ];
  for (const { text, kind, by, why } of rows) {
    const outcome = await ask('b', text);
    assert.deepEqual({ kind: outcome.kind, by: outcome.kind === 'taken' ? outcome.by : undefined }, { kind, by });
    assert.equal('why' in outcome && outcome.why, `Cannot assign address "${text}": ${why}`);
  }
  const two = await ipam.assign(podRequest('b', { requested: [ip('10.244.7.8'), ip('10.244.7.9')] }));
  assert.match(two.kind === 'no-pool' ? two.why : '', /expected one per family/);
  assert.deepEqual(
    ipam.blocks().map(({ cidr }) => cidr),
    ['10.244.7.0/24'],
  );
});

test('assign() takes nothing new from a pool that is disabled or gone, and live pods keep their address', async (t) => {
  let pools = [ipPool('a', '10.244.0.0/16')];
  const world = await ipamWorld(t, [...pools, ipPool('b', '10.250.0.0/16')]);
  const ipam = await world.open('node-1', { pools: () => pools });
  const before = ipsOf(await ipam.assign(podRequest('a')));
  pools = [ipPool('a', '10.244.0.0/16', { disabled: true })];
  assert.equal((await ipam.assign(podRequest('b'))).kind, 'no-pool');
  pools = [];
  assert.equal((await ipam.assign(podRequest('b'))).kind, 'no-pool');
  assert.deepEqual(ipam.find(podRequest('a').handle)?.ips, before);
  assert.equal(ipam.blocks().length, 1);
  pools = [ipPool('b', '10.250.0.0/16')];
  assert.match(ipsOf(await ipam.assign(podRequest('b')))[0] ?? '', /^10\.250\./);
});

test('release() frees the addresses of that assignment alone, once', async (t) => {
  const ipam = await (await ipamWorld(t, [ipPool('a', '10.244.0.0/16')])).open('node-1');
  const { handle } = podRequest('a');
  await ipam.assign(podRequest('a'));
  await ipam.assign(podRequest('b'));
  assert.equal(ipam.release(handle, 99), undefined);
  const details = { mac: '02:00:00:00:00:01', mtu: 1450 };
  assert.equal(ipam.markAttached(handle, details)?.state, 'attached');
  const released = ipam.release(handle);
  assert.deepEqual([released?.pod, released?.mac, released?.mtu], ['a', '02:00:00:00:00:01', 1450]);
  assert.equal(ipam.release(handle), undefined);
  assert.equal(ipam.markAttached(handle, details), undefined);
  assert.deepEqual(
    ipam.assignments().map(({ pod }) => pod),
    ['b'],
  );
});

test('keepOut() keeps addresses that the kernel has from being handed out', async (t) => {
  const ipam = await (await ipamWorld(t, [ipPool('tiny', '10.244.9.4/30', { blockSize: 30 })])).open('node-1');
  ipam.keepOut([ip('10.244.9.4'), ip('10.244.9.6')]);
  assert.deepEqual(ipsOf(await ipam.assign(podRequest('a'))), ['10.244.9.5']);
  assert.equal((await ipam.assign(podRequest('b', { requested: [ip('10.244.9.6')] }))).kind, 'taken');
  assert.deepEqual(ipsOf(await ipam.assign(podRequest('b'))), ['10.244.9.7']);
  assert.equal((await ipam.assign(podRequest('c'))).kind, 'exhausted');
  ipam.keepOut([]);
  assert.deepEqual(ipsOf(await ipam.assign(podRequest('c'))), ['10.244.9.4']);
});

test('start() takes up what the datastore says and keeps what pods need', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/22', { blockSize: 24 })], ['node-1']);
  const first = await world.open('node-1');
  await first.assign(podRequest('a', { requested: [ip('10.244.0.9')] }));
  await first.assign(podRequest('b', { requested: [ip('10.244.1.9')] }));
  await first.assign(podRequest('c', { requested: [ip('10.244.2.9')] }));
  first.release(podRequest('c').handle);
  first.close();
  const blockName = (cidr: string) => ipBlockName(unwrap(parseCidr(cidr)));
  // Meanwhile: one block vanishes, one gets another owner, an empty one vanishes, and a claim was never answered.
  await world.store.delete('IPBlock', undefined, blockName('10.244.0.0/24'));
  await world.store.delete('IPBlock', undefined, blockName('10.244.1.0/24'));
  await world.store.delete('IPBlock', undefined, blockName('10.244.2.0/24'));
  await world.store.create(block('10.244.1.0/24', 'node-2'));
  await world.store.create(block('10.244.3.0/24', 'node-1'));
  const second = await world.open('node-1');
  let changes = 0;
  second.onBlocksChanged(() => changes++);
  const outcome = await second.start();
  assert.ok(outcome.kind === 'adopted');
  assert.deepEqual(
    outcome.conflicts.map(({ ip, owner, assignment }) => [ip, owner, assignment.pod]),
    [['10.244.1.9', 'node-2', 'b']],
  );
  const owned = ['10.244.0.0/24', '10.244.3.0/24'];
  assert.deepEqual(
    second.blocks().map(({ cidr }) => cidr),
    owned,
  );
  assert.deepEqual(
    (await world.store.list('IPBlock')).items.filter(({ spec }) => spec.node === 'node-1').map(({ spec }) => spec.cidr),
    owned,
  );
  assert.equal(changes, 1);
  assert.equal(second.find(podRequest('b').handle)?.ips[0], '10.244.1.9');
  await second.start();
  assert.equal(changes, 1);
});

test('start() gives up a block that cannot be created again, and keeps its pods', async (t) => {
  const rows = [
    { name: 'its pool is gone', now: [] },
    { name: 'its pool has other blocks now', now: [ipPool('a', '10.244.0.0/22', { blockSize: 26 })] },
  ];
  for (const { name, now } of rows) {
    const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/22', { blockSize: 24 })], ['node-1']);
    const first = await world.open('node-1');
    const [address] = ipsOf(await first.assign(podRequest('a')));
    first.close();
    const [lost] = (await world.store.list('IPBlock')).items;
    await world.store.delete('IPBlock', undefined, lost?.metadata.name ?? '');
    await world.store.delete('IPPool', undefined, 'a');
    for (const pool of now) await world.store.create(pool);
    const second = await world.open('node-1', { pools: () => now });
    assert.deepEqual(await second.start(), { kind: 'adopted', conflicts: [], stranded: [] }, name);
    assert.deepEqual(second.blocks(), [], name);
    assert.deepEqual(second.find(podRequest('a').handle)?.ips, [address], name);
    second.close();
  }
});

test('start() keeps a block with pods while a datastore that was emptied cannot have it', async (t) => {
  const pool = ipPool('a', '10.244.0.0/24', { blockSize: 24 });
  const world = await ipamWorld(t, [pool], ['node-1']);
  const first = await world.open('node-1');
  const [address] = ipsOf(await first.assign(podRequest('a')));
  first.close();
  const [lost] = (await world.store.list('IPBlock')).items;
  await world.store.delete('IPBlock', undefined, lost?.metadata.name ?? '');
  await world.store.delete('IPPool', undefined, 'a');
  await world.store.delete('Node', undefined, 'node-1');
  const second = await world.open('node-1');
  assert.equal((await second.start()).kind, 'adopted');
  const other = await second.assign(podRequest('b'));
  assert.notEqual(other.kind, 'assigned', 'nobody gets an address of a block that the datastore does not have');
  // It is filled again, from before the block was claimed.
  await world.store.create(pool);
  await world.store.create(nodeObject('node-1'));
  assert.equal((await second.start('with-own-node')).kind, 'adopted');
  const elsewhere = await (await world.open('node-2')).assign(podRequest('c', { requested: [ip(address ?? '')] }));
  assert.equal(elsewhere.kind, 'taken');
  assert.equal((await second.assign(podRequest('b'))).kind, 'assigned');
});

test('assign() withdraws a block when a look after its claim finds an overlapping one', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/24', { blockSize: 25 })]);
  const mine = new Set<string>();
  const store: Store = {
    ...world.store,
    create: async (resource) => {
      const created = await world.store.create(resource);
      mine.add(created.metadata.name);
      return created;
    },
    // Another node, which sees a smaller block size, has claimed a part of the lower half at the same moment.
    list: async (kind, namespace) => {
      const { items, version } = await world.store.list(kind, namespace);
      const other = block('10.244.0.64/26', 'node-2');
      return { items: mine.size > 0 && kind === 'IPBlock' ? ([...items, other] as typeof items) : items, version };
    },
  };
  const ipam = await world.open('node-1', { store });
  const ask = ipam.assign(podRequest('web', { requested: [ip('10.244.0.7')] }));
  assert.deepEqual((await ask).kind, 'taken');
  assert.deepEqual((await world.store.list('IPBlock')).items, []);
  assert.match(ipsOf(await ipam.assign(podRequest('api')))[0] ?? '', /^10\.244\.0\.128$/);
});
