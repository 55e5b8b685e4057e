// What keeps a node from another block, and what it tells the pod that waits.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { resourceKey } from '../datastore/resources/index.ts';
import { ipBlockName, ipBlockSchema } from '../datastore/resources/ip-block.ts';
import { type Cidr, cidrAddress, parseCidr } from '../lib/cidr.ts';
import { type Ip, parseIp } from '../lib/ip.ts';
import { unwrap } from '../lib/result.ts';
import { ipamWorld, ipPool, podRequest } from '../test/support/ipam-world.ts';
import type { AssignOutcome, Ipam } from './ipam.ts';

const ip = (text: string): Ip => unwrap(parseIp(text));
const cidrsOf = (ipam: Ipam): readonly Cidr[] => ipam.blocks().map(({ cidr }) => cidr);

function ipsOf(outcome: AssignOutcome): readonly Ip[] {
  if (outcome.kind !== 'assigned') throw new Error(`${outcome.kind}: ${outcome.why}`);
  return outcome.assignment.ips;
}

test('only addresses that somebody gets are worth the wait', async (t) => {
  const world = await ipamWorld(t, [ipPool('tiny', '10.244.9.4/31', { blockSize: 31 })]);
  const reserved = () => [unwrap(parseCidr('10.244.9.5/32'))];
  const ipam = await world.open('node-1', { reserved, settings: () => ({ cooldownMs: 60_000, maxBlocks: 0 }) });
  ipsOf(await ipam.assign(podRequest('a')));
  ipsOf(await ipam.assign(podRequest('b', { requested: [ip('10.244.9.5')] })));
  ipam.release(podRequest('b').handle);
  assert.equal((await ipam.assign(podRequest('c'))).kind, 'exhausted', 'the one that cools down is reserved');
  ipam.release(podRequest('a').handle);
  assert.equal((await ipam.assign(podRequest('c'))).kind, 'unavailable');
});

test('assign() claims no more blocks than the cluster allows a node, and says what it wanted one for', async (t) => {
  const pools = [ipPool('a', '10.244.0.0/24', { blockSize: 32 }), ipPool('b', '10.245.0.0/24')];
  const world = await ipamWorld(t, pools);
  let maxBlocks = 2;
  const ipam = await world.open('node-1', { settings: () => ({ cooldownMs: 0, maxBlocks }) });
  for (const pod of ['a', 'b']) ipsOf(await ipam.assign(podRequest(pod, { pools: { 4: ['a'] } })));
  maxBlocks = 1;
  const limit = 'it has 2 blocks, and "maxBlocksPerHost" of IPAMConfiguration "default" allows 1';
  const rows = [
    [{ pools: { 4: ['a'] } }, `Cannot assign an IPv4 address: the blocks of this node are full; ${limit}`],
    [{ pools: { 4: ['b'] } }, `Cannot assign an IPv4 address: this node has no block of IPPool "b"; ${limit}`],
    [
      { requested: [ip('10.245.0.9')] },
      `Cannot assign address "10.245.0.9": this node does not have its block; ${limit}`,
    ],
  ] as const;
  for (const [wish, expected] of rows) {
    const refused = await ipam.assign(podRequest('c', wish));
    assert.equal(refused.kind === 'exhausted' ? refused.why : '', expected);
  }
});

test('a node that may claim no blocks goes on with those that it has, and with those that it is given', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/24', { blockSize: 31 })], ['node-1']);
  let newBlocks: 'none' | undefined;
  let nowMs = 0;
  const settings = () => ({ cooldownMs: 0, maxBlocks: 0, newBlocks });
  const ipam = await world.open('node-1', { settings, monotonicMs: () => nowMs });
  for (const pod of ['a', 'b', 'c']) ipsOf(await ipam.assign(podRequest(pod)));
  newBlocks = 'none';
  ipsOf(await ipam.assign(podRequest('d')));
  const refused = await ipam.assign(podRequest('e'));
  const why = 'it claims no other with "autoAllocateBlocks" false in IPAMConfiguration "default"';
  assert.deepEqual(
    [refused.kind, 'why' in refused && refused.why],
    ['exhausted', `Cannot assign an IPv4 address: the blocks of this node are full; ${why}`],
  );
  const given = ['10.244.0.0/31', '10.244.0.100/31', '10.244.0.200/31']
    .map((text) => unwrap(parseCidr(text)))
    .find((each) => !cidrsOf(ipam).includes(each));
  assert.ok(given);
  const requested = podRequest('e', { requested: [cidrAddress(given)] });
  assert.equal((await ipam.assign(requested)).kind, 'exhausted');
  const bare = await world.open('node-2', { settings });
  assert.equal((await bare.claimFirstBlock()).kind, 'exhausted');

  for (const pod of ['a', 'b', 'c', 'd']) ipam.release(podRequest(pod).handle);
  for (nowMs of [0, 600_000]) assert.deepEqual(await ipam.releaseEmptyBlocks(), []);
  assert.equal(cidrsOf(ipam).length, 2);

  await world.store.create(
    ipBlockSchema.parse({
      ...{ apiVersion: 'margay.dev/v1alpha1', kind: 'IPBlock' },
      metadata: { name: ipBlockName(given) },
      spec: { cidr: given, pool: 'a', node: 'node-1' },
    }),
  );
  await ipam.start();
  assert.equal(cidrsOf(ipam).length, 3);
  assert.deepEqual(ipsOf(await ipam.assign(requested)), [cidrAddress(given)]);
  ipam.release(requested.handle);

  newBlocks = undefined;
  nowMs = 0;
  for (nowMs of [600_000, 1_200_000]) await ipam.releaseEmptyBlocks();
  assert.equal(cidrsOf(ipam).length, 1);
});

test('a node that may claim no blocks keeps those whose pool does not serve it for now', async (t) => {
  const pool = ipPool('a', '10.244.0.0/24', { blockSize: 31 });
  const world = await ipamWorld(t, [pool], ['node-1']);
  let pools = [pool];
  let newBlocks: 'none' | undefined;
  let nowMs = 0;
  const ipam = await world.open('node-1', {
    pools: () => pools,
    settings: () => ({ cooldownMs: 0, maxBlocks: 0, newBlocks }),
    monotonicMs: () => nowMs,
  });
  for (const pod of ['a', 'b', 'c']) ipsOf(await ipam.assign(podRequest(pod)));
  for (const pod of ['a', 'b', 'c']) ipam.release(podRequest(pod).handle);
  newBlocks = 'none';
  // As what cannot be read is.
  pools = [ipPool('a', '10.244.0.0/24', { blockSize: 31, disabled: true })];
  for (nowMs of [0, 600_000, 1_200_000]) assert.deepEqual(await ipam.releaseEmptyBlocks(), []);
  pools = [pool];
  ipsOf(await ipam.assign(podRequest('d')));
});

test('assign() says of a requested address that its block has another owner, or cannot be read', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/24', { blockSize: 30 })], ['node-1', 'node-2']);
  const [other, ipam] = [await world.open('node-2'), await world.open('node-1')];
  const [address = ip('0.0.0.0')] = ipsOf(await other.assign(podRequest('a')));
  const [block] = cidrsOf(other);
  assert.ok(block);
  const ask = async () => {
    const refused = await ipam.assign(podRequest('b', { requested: [address] }));
    return [refused.kind, 'why' in refused && refused.why];
  };
  assert.deepEqual(await ask(), [
    'taken',
    `Cannot assign address "${address}": its block "${block}" is that of node "node-2", expected a pod on that node`,
  ]);
  const name = ipBlockName(block);
  world.damage(resourceKey('IPBlock', undefined, name));
  const [kind, why] = await ask();
  assert.equal(kind, 'unavailable');
  assert.match(String(why), new RegExp(`^Cannot assign address "${address}": .* Cannot read IPBlock "${name}": `));
});

test('a node whose Node cannot be read starts, goes on with its blocks and claims others', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/24', { blockSize: 31 })], ['node-1']);
  const before = await world.open('node-1');
  ipsOf(await before.assign(podRequest('a')));
  before.close();
  world.damage(resourceKey('Node', undefined, 'node-1'));
  const ipam = await world.open('node-1');
  assert.deepEqual(await ipam.start(), { kind: 'adopted', conflicts: [], stranded: [] });
  for (const pod of ['b', 'c']) ipsOf(await ipam.assign(podRequest(pod)));
  assert.equal(cidrsOf(ipam).length, 2);
  assert.equal((await ipam.start('with-own-node')).kind, 'unavailable', 'nothing is taken away');
});

test('a pool that the datastore cannot read keeps no node from the blocks of another', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/24'), ipPool('b', '10.245.0.0/24')]);
  const ipam = await world.open('node-1');
  world.damage(resourceKey('IPPool', undefined, 'a'));
  assert.match(String(ipsOf(await ipam.assign(podRequest('a')))), /^10\.245\.0\./);
  const refused = await ipam.assign(podRequest('b', { pools: { 4: ['a'] } }));
  assert.deepEqual(
    [refused.kind, 'why' in refused && refused.why],
    [
      'unavailable',
      'Cannot assign an IPv4 address: a new block is needed, and that failed: Cannot accept IPBlock "10-244-0-0-24": spec.pool: IPPool "a" is not there, expected an existing pool',
    ],
  );
});

test('a node that only lacks a block in doubt is a reason to come again, and says why it is in doubt', async (t) => {
  const world = await ipamWorld(t, [ipPool('a', '10.244.0.0/24')]);
  const ipam = await world.open('node-1');
  ipsOf(await ipam.assign(podRequest('a')));
  const [block] = ipam.blocks();
  assert.ok(block);
  for (const [doubt, text] of [
    ['changed', /; block "10\.244\.0\.0\/24" may be another node's by now, .* compared/],
    ['unreadable', /; block "10\.244\.0\.0\/24" has an IPBlock that cannot be read/],
  ] as const) {
    ipam.doubt(block.cidr, doubt);
    const refused = await ipam.assign(podRequest('b'));
    assert.equal(refused.kind, 'unavailable');
    assert.match('why' in refused ? refused.why : '', text);
  }
});
