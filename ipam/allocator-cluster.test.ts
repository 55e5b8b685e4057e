// What the cluster's objects make of assigning: pools, reservations, settings, blocks that go back, and Nodes that change.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { resourceKey } from '../datastore/resources/index.ts';
import { ipBlockName } from '../datastore/resources/ip-block.ts';
import { type Store, StoreError } from '../datastore/store.ts';
import { cidrContains, parseCidr } from '../lib/cidr.ts';
import { type Ip, parseIp } from '../lib/ip.ts';
import { unwrap } from '../lib/result.ts';
import { ipamWorld, ipPool, nodeObject, podRequest } from '../test/support/ipam-world.ts';
import type { AssignOutcome } from './ipam.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));

function ipsOf(outcome: AssignOutcome): readonly Ip[] {
  if (outcome.kind !== 'assigned') throw new Error(`${outcome.kind}: ${outcome.why}`);
  return outcome.assignment.ips;
}

test('assign() takes the pools that the pod names, else those that select node and namespace', async (t) => {
  const pools = [
    ipPool('all', '10.244.0.0/16', { nodeSelector: '!has(zone)' }),
    ipPool('team', '10.245.0.0/16', { namespaceSelector: "team == 'x'" }),
    ipPool('manual', '10.246.0.0/16', { assignmentMode: 'Manual' }),
    ipPool('off', '10.247.0.0/16', { disabled: true }),
  ];
  const namespaces: Record<string, Record<string, string>> = { shop: { team: 'x' }, other: {} };
  const ipam = await (await ipamWorld(t, pools)).open('node-1', {
    nodeLabels: () => ({ zone: 'a' }),
    namespaceLabels: (name) => namespaces[name],
  });
  assert.equal((await ipam.claimFirstBlock()).kind, 'on-demand', 'no pod, no namespace');
  assert.deepEqual(ipam.blocks(), []);
  assert.match(ipsOf(await ipam.assign(podRequest('a')))[0] ?? '', /^10\.245\./);
  const other = await ipam.assign(podRequest('b', { namespace: 'other' }));
  assert.match(
    other.kind === 'no-pool' ? other.why : '',
    /IPPool "team": spec.namespaceSelector "team == 'x'" does not select the pod's namespace/,
  );
  const named = (pod: string, ...names: string[]) => ipam.assign(podRequest(pod, { pools: { 4: names } }));
  assert.match(ipsOf(await named('c', 'manual', 'all'))[0] ?? '', /^10\.246\./);
  assert.match(ipsOf(await named('d', '10.244.0.0/16'))[0] ?? '', /^10\.244\./);
  const refused = await named('e', 'all', 'off');
  assert.match(refused.kind === 'no-pool' ? refused.why : '', /IPPool "off": spec.disabled is true/);
});

test('families() are those of the pools that serve the namespace', async (t) => {
  const pools = [
    ipPool('all', '10.244.0.0/16'),
    ipPool('six', 'fd00:10:244::/48', { namespaceSelector: 'has(six)' }),
    ipPool('manual', 'fd00:10:245::/48', { assignmentMode: 'Manual' }),
  ];
  const namespaces: Record<string, Record<string, string>> = { both: { six: 'yes' }, four: {} };
  const ipam = await (await ipamWorld(t, pools)).open('node-1', { namespaceLabels: (name) => namespaces[name] });
  assert.deepEqual(
    ['both', 'four', 'unknown'].map((name) => ipam.families(name)),
    [[4, 6], [4], [4]],
  );
});

test('assign() passes over reserved addresses and reserved blocks, unless one is asked for', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/28', { blockSize: 30 })]);
  let reserved = ['10.244.0.0/29', '10.244.0.9/32'].map((text) => unwrap(parseCidr(text)));
  const ipam = await world.open('node-1', { reserved: () => reserved });
  const given: Ip[] = [];
  for (let i = 0; i < 7; i++) given.push(...ipsOf(await ipam.assign(podRequest(`p${i}`))));
  assert.deepEqual([...given].sort(), [10, 11, 12, 13, 14, 15, 8].map((n) => `10.244.0.${n}`).sort());
  assert.equal((await ipam.assign(podRequest('q'))).kind, 'exhausted');
  assert.equal((await world.store.list('IPBlock')).items.length, 2);
  const asked = await ipam.assign(podRequest('r', { requested: [ip('10.244.0.9')] }));
  assert.deepEqual(ipsOf(asked), ['10.244.0.9']);
  reserved = [];
  assert.match(ipsOf(await ipam.assign(podRequest('q')))[0] ?? '', /^10\.244\.0\.[0-7]$/);
});

test('assign() lets released addresses cool down, also those of an earlier life', async (t) => {
  const world = await ipamWorld(t, [ipPool('tiny', '10.244.9.4/31', { blockSize: 31 })]);
  let nowMs = 0;
  let cooldownMs = 60_000;
  const options = { monotonicMs: () => nowMs, settings: () => ({ cooldownMs, maxBlocks: 0 }) };
  const first = await world.open('node-1', options);
  for (const pod of ['a', 'b']) await first.assign(podRequest(pod));
  first.release(podRequest('a').handle);
  nowMs = 30_000;
  first.release(podRequest('b').handle);
  const refused = await first.assign(podRequest('c'));
  assert.equal(refused.kind, 'unavailable');
  assert.match(refused.kind === 'unavailable' ? refused.why : '', /2 released addresses cool down/);
  // Who names it waits too, but for the pod that had it: its own late packets harm nobody.
  const named = await first.assign(podRequest('d', { requested: [ip('10.244.9.5')] }));
  assert.match(
    named.kind === 'unavailable' ? named.why : '',
    /"10\.244\.9\.5": another pod had it until lately, expected/,
  );
  const elsewhere = await first.assign(podRequest('b', { namespace: 'other', requested: [ip('10.244.9.5')] }));
  assert.equal(elsewhere.kind, 'unavailable');
  assert.deepEqual(ipsOf(await first.assign(podRequest('b', { requested: [ip('10.244.9.5')] }))), ['10.244.9.5']);
  nowMs = 60_000;
  assert.deepEqual(ipsOf(await first.assign(podRequest('c'))), ['10.244.9.4']);
  first.release(podRequest('c').handle);
  first.close();
  const second = await world.open('node-1', options);
  assert.equal((await second.assign(podRequest('e'))).kind, 'unavailable');
  cooldownMs = 0;
  assert.deepEqual(ipsOf(await second.assign(podRequest('e'))), ['10.244.9.4']);
});

test('what cools down is no reason to come again for an address of another block', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/24', { blockSize: 32 })]);
  const ipam = await world.open('node-1', { settings: () => ({ cooldownMs: 60_000, maxBlocks: 1 }) });
  const [first] = ipsOf(await ipam.assign(podRequest('a')));
  ipam.release(podRequest('a').handle);
  const other = first === '10.244.0.9' ? '10.244.0.8' : '10.244.0.9';
  assert.equal((await ipam.assign(podRequest('b', { requested: [ip(other)] }))).kind, 'exhausted');
  assert.equal((await ipam.assign(podRequest('b'))).kind, 'unavailable');
});

test('releaseEmptyBlocks() gives back what has been empty for long, and keeps one', async (t) => {
  let pools = [ipPool('a', '10.244.0.0/24', { blockSize: 31 })];
  const world = await ipamWorld(t, pools);
  let nowMs = 0;
  const ipam = await world.open('node-1', { pools: () => pools, monotonicMs: () => nowMs });
  const changes: number[] = [];
  ipam.onBlocksChanged((blocks) => changes.push(blocks.length));
  for (const pod of ['a', 'b', 'c', 'd', 'e']) await ipam.assign(podRequest(pod));
  assert.equal(ipam.blocks().length, 3);
  for (const pod of ['a', 'b', 'c', 'd']) ipam.release(podRequest(pod).handle);
  assert.deepEqual(await ipam.releaseEmptyBlocks(), [], 'first seen empty');
  nowMs = 9 * 60_000;
  assert.deepEqual(await ipam.releaseEmptyBlocks(), [], 'too early');
  nowMs = 10 * 60_000;
  assert.equal((await ipam.releaseEmptyBlocks()).length, 2);
  assert.deepEqual(changes, [1, 2, 3, 2, 1]);
  ipam.release(podRequest('e').handle);
  await ipam.releaseEmptyBlocks();
  nowMs = 30 * 60_000;
  assert.deepEqual(await ipam.releaseEmptyBlocks(), [], 'the last one stays');
  pools = [ipPool('a', '10.244.0.0/24', { blockSize: 31, disabled: true })];
  assert.equal((await ipam.releaseEmptyBlocks()).length, 1, 'it serves nobody any more');
  assert.deepEqual((await world.store.list('IPBlock')).items, []);
});

test('releaseEmptyBlocks() gives no block back while an address of it cools down', async (t) => {
  const pools = [ipPool('a', '10.244.0.0/30', { blockSize: 31 })];
  const world = await ipamWorld(t, pools);
  let nowMs = 0;
  const settings = () => ({ cooldownMs: 20 * 60_000, maxBlocks: 0 });
  const ipam = await world.open('node-1', { monotonicMs: () => nowMs, settings });
  for (const pod of ['a', 'b', 'c']) await ipam.assign(podRequest(pod));
  ipam.release(podRequest('c').handle);
  for (const minute of [0, 10, 19]) {
    nowMs = minute * 60_000;
    assert.deepEqual(await ipam.releaseEmptyBlocks(), [], `minute ${minute}`);
  }
  nowMs = 20 * 60_000;
  assert.deepEqual(await ipam.releaseEmptyBlocks(), [], 'empty from now on');
  nowMs = 30 * 60_000;
  assert.equal((await ipam.releaseEmptyBlocks()).length, 1);
});

test('releaseEmptyBlocks() gives no block back while an address of it is kept out', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/30', { blockSize: 31 })]);
  let nowMs = 0;
  const ipam = await world.open('node-1', { monotonicMs: () => nowMs });
  for (const pod of ['a', 'b', 'c']) await ipam.assign(podRequest(pod));
  const [, , last] = ipam.assignments();
  ipam.release(podRequest('c').handle);
  ipam.keepOut(last?.ips ?? []);
  for (const minute of [0, 10, 20]) {
    nowMs = minute * 60_000;
    assert.deepEqual(await ipam.releaseEmptyBlocks(), [], `minute ${minute}`);
  }
  ipam.keepOut([]);
  await ipam.releaseEmptyBlocks();
  nowMs = 30 * 60_000;
  assert.equal((await ipam.releaseEmptyBlocks()).length, 1);
});

test('a requested address of a block in doubt is a reason to come again', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/24')]);
  const ipam = await world.open('node-1');
  const [first] = ipsOf(await ipam.assign(podRequest('a')));
  ipam.release(podRequest('a').handle);
  const [owned] = ipam.blocks();
  assert.ok(owned);
  ipam.doubt(owned.cidr);
  const refused = await ipam.assign(podRequest('b', { requested: [ip(first ?? '')] }));
  assert.equal(refused.kind, 'unavailable');
  assert.match(
    refused.kind === 'unavailable' ? refused.why : '',
    /its block "10\.244\.0\.\d+\/\d+" .*compared with the datastore/,
  );
  await ipam.start();
  assert.deepEqual(ipsOf(await ipam.assign(podRequest('b', { requested: [ip(first ?? '')] }))), [first]);
});

test('a pool for some pods alone keeps the node in service, and its last block stays', async (t) => {
  const rows = [
    { spec: { namespaceSelector: 'has(team)' }, first: 'on-demand', left: 1 },
    { spec: { assignmentMode: 'Manual' }, first: 'on-demand', left: 1 },
    { spec: { assignmentMode: 'Manual', nodeSelector: 'has(zone)' }, first: 'no-pool', left: 0 },
    { spec: { assignmentMode: 'Manual', disabled: true }, first: 'no-pool', left: 0 },
  ] as const;
  for (const { spec, first, left } of rows) {
    let pools = [ipPool('a', '10.244.0.0/24', { blockSize: 31, assignmentMode: 'Manual' })];
    const world = await ipamWorld(t, pools);
    let nowMs = 0;
    const ipam = await world.open('node-1', { pools: () => pools, monotonicMs: () => nowMs });
    for (const pod of ['a', 'b', 'c']) ipsOf(await ipam.assign(podRequest(pod, { pools: { 4: ['a'] } })));
    for (const pod of ['a', 'b', 'c']) ipam.release(podRequest(pod).handle);
    pools = [ipPool('a', '10.244.0.0/24', { blockSize: 31, ...spec })];
    const name = JSON.stringify(spec);
    assert.equal((await ipam.claimFirstBlock()).kind, first, name);
    await ipam.releaseEmptyBlocks();
    nowMs = 3_600_000;
    await ipam.releaseEmptyBlocks();
    assert.equal(ipam.blocks().length, left, name);
  }
});

test('releaseEmptyBlocks() keeps a block that got a pod meanwhile', async (t) => {
  const pools = [ipPool('a', '10.244.0.0/30', { blockSize: 31 })];
  const world = await ipamWorld(t, pools);
  let nowMs = 0;
  const store: Store = {
    ...world.store,
    get: async (kind, namespace, name) => {
      const found = await world.store.get(kind, namespace, name);
      if (kind === 'IPBlock') await beforeGetReturns();
      return found;
    },
  };
  let beforeGetReturns = async (): Promise<void> => {};
  const ipam = await world.open('node-1', { store, monotonicMs: () => nowMs });
  for (const pod of ['a', 'b', 'c']) await ipam.assign(podRequest(pod));
  for (const pod of ['a', 'b', 'c']) ipam.release(podRequest(pod).handle);
  await ipam.releaseEmptyBlocks();
  nowMs = 3_600_000;
  beforeGetReturns = async () => {
    beforeGetReturns = async () => {};
    for (const pod of ['d', 'e', 'f']) ipsOf(await ipam.assign(podRequest(pod)));
  };
  assert.deepEqual(await ipam.releaseEmptyBlocks(), []);
  assert.equal(ipam.blocks().length, 2);
});

test('releaseEmptyBlocks() does not use a block any more of which the datastore does not say whether it took it', async (t) => {
  for (const step of ['before', 'after'] as const) {
    const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/30', { blockSize: 31 })], ['node-1']);
    let nowMs = 0;
    let isAway = true;
    const store: Store = {
      ...world.store,
      delete: async (...args) => {
        if (step === 'after' || !isAway) await world.store.delete(...args);
        if (isAway) throw new StoreError('unavailable', 'Cannot reach the datastore');
      },
    };
    const ipam = await world.open('node-1', { store, monotonicMs: () => nowMs });
    for (const pod of ['a', 'b', 'c']) await ipam.assign(podRequest(pod));
    for (const pod of ['a', 'b', 'c']) ipam.release(podRequest(pod).handle);
    await ipam.releaseEmptyBlocks();
    nowMs = 3_600_000;
    assert.deepEqual(await ipam.releaseEmptyBlocks(), [], step);
    assert.equal(ipam.blocks().length, 1, step);
    isAway = false;
    const other = await world.open('node-2');
    const taken = await other.assign(podRequest('other'));
    assert.equal(taken.kind, step === 'after' ? 'assigned' : 'exhausted', step);
    const outcomes = [];
    for (const pod of ['d', 'e', 'f']) outcomes.push((await ipam.assign(podRequest(pod))).kind);
    assert.deepEqual(outcomes, ['assigned', 'assigned', step === 'after' ? 'exhausted' : 'assigned'], step);
    const ips = [ipam, other].flatMap((each) => each.assignments().flatMap(({ ips: held }) => held));
    assert.equal(new Set(ips).size, ips.length, step);
  }
});

test('start() leaves the blocks of an earlier Node of this name alone, unless this machine had them', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/23')]);
  await world.store.create(nodeObject('node-1'));
  const first = await world.open('node-1');
  await first.assign(podRequest('a'));
  first.close();
  await world.store.delete('Node', undefined, 'node-1');
  const { uid } = (await world.store.create(nodeObject('node-1'))).metadata;
  const same = await world.open('node-1');
  assert.deepEqual(await same.start(), { kind: 'adopted', conflicts: [], stranded: [] });
  assert.equal((await world.store.list('IPBlock')).items[0]?.spec.nodeUid, uid);
  same.close();
  await world.store.delete('Node', undefined, 'node-1');
  await world.store.create(nodeObject('node-1'));
  const other = await world.open('node-1', { journalPath: world.journalPath('another-disk') });
  const cidr = (await world.store.list('IPBlock')).items[0]?.spec.cidr;
  assert.deepEqual(await other.start(), { kind: 'adopted', conflicts: [], stranded: [cidr] });
  assert.deepEqual(other.blocks(), []);
  assert.notEqual((await other.claimFirstBlock()).kind === 'ready' && other.blocks()[0]?.cidr, cidr);
});

test('a node without its Node object takes up only what its journal knows, and gives it the uid later', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/22')]);
  const before = await world.open('node-1');
  await before.assign(podRequest('a'));
  before.close();
  const [old] = (await world.store.list('IPBlock')).items.map(({ spec }) => spec.cidr);
  const fresh = await world.open('node-1', { journalPath: world.journalPath('another-disk') });
  assert.deepEqual(await fresh.start(), { kind: 'adopted', conflicts: [], stranded: [old] });
  await fresh.assign(podRequest('b'));
  const [claimed] = fresh.blocks().map(({ cidr }) => cidr);
  assert.notEqual(claimed, old);
  fresh.close();
  const again = await world.open('node-1');
  assert.deepEqual(await again.start(), { kind: 'adopted', conflicts: [], stranded: [claimed] });
  assert.deepEqual(
    [...again.blocks()].map(({ cidr }) => cidr),
    [old],
  );
  await world.store.delete('IPBlock', undefined, ipBlockName(unwrap(parseCidr(claimed ?? ''))));
  const { uid } = (await world.store.create(nodeObject('node-1'))).metadata;
  assert.equal((await again.start()).kind, 'adopted');
  assert.deepEqual(
    (await world.store.list('IPBlock')).items.map(({ spec }) => spec.nodeUid),
    [uid],
  );
});

test('start() keeps a block with pods whose object cannot be read, and assigns nothing from it until it can', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/23')], ['node-1']);
  const before = await world.open('node-1');
  const [first] = ipsOf(await before.assign(podRequest('a')));
  before.close();
  const [stored] = (await world.store.list('IPBlock')).items;
  assert.ok(stored);
  const { cidr } = stored.spec;
  world.damage(resourceKey('IPBlock', undefined, stored.metadata.name));
  const told: string[] = [];
  const log = pino({}, { write: (line: string) => void told.push(line) });
  const ipam = await world.open('node-1', { log });
  assert.deepEqual(await ipam.start(), { kind: 'adopted', conflicts: [], stranded: [] });
  assert.deepEqual(ipam.find(podRequest('a').handle)?.ips, [first]);
  assert.deepEqual(
    ipam.blocks().map((block) => block.cidr),
    [cidr],
  );
  assert.ok(told.join('').includes(`IPBlock \\"${stored.metadata.name}\\"`), told.join(''));
  const [second = ip('0.0.0.0')] = ipsOf(await ipam.assign(podRequest('b')));
  assert.ok(!cidrContains(cidr, second), second);
  assert.equal((await ipam.start()).kind, 'adopted', 'doubted again by each comparison');
  const [third = ip('0.0.0.0')] = ipsOf(await ipam.assign(podRequest('c')));
  assert.ok(!cidrContains(cidr, third), third);
  const { resourceVersion: _, ...metadata } = stored.metadata;
  await world.store.update({ ...stored, metadata });
  await ipam.start();
  const [last = ip('0.0.0.0')] = ipsOf(await ipam.assign(podRequest('d')));
  assert.ok(cidrContains(cidr, last), last);
});
