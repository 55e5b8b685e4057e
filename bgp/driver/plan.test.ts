import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADDRESS, BLOCK, cidr, desiredOf, ip } from '../../test/support/bgp-world.ts';
import type { RibPath } from '../model/types.ts';
import { descriptionOf, noteOf, shortHash } from './note.ts';
import { changedPaths, globalDifferences, keyLimitWarning, listenable, planPaths, planPeers } from './plan.ts';

const DESIRED = desiredOf('n1');
const PEER = [...DESIRED.peers.values()];
const [TOR, N2] = PEER;

test('globalDifferences() names each setting that differs', () => {
  const actual = { asn: 64512, routerId: ADDRESS.n1, listenPort: 179, listenAddresses: [ADDRESS.n1] };
  assert.deepEqual(globalDifferences(actual, DESIRED.global), []);
  assert.deepEqual(globalDifferences({ ...actual, routerId: '192.0.2.1', listenPort: 1179 }, DESIRED.global), [
    'Cannot change router id of a running gobgpd: is "192.0.2.1", expected "198.51.100.1"; restart it',
    'Cannot change listening port of a running gobgpd: is "1179", expected "179"; restart it',
  ]);
  assert.equal(globalDifferences({ ...actual, listenAddresses: ['0.0.0.0', '::'] }, DESIRED.global).length, 1);
});

test('listenable() leaves out what no interface has, unless that is everything', () => {
  const [four, six, any] = [ip('198.51.100.1'), ip('fd00:198::1'), ip('0.0.0.0')];
  const of = (addresses: readonly (typeof four)[], local: readonly (typeof four)[]) =>
    listenable({ ...DESIRED.global, listenAddresses: addresses }, (address) => local.includes(address));
  assert.deepEqual(of([four, six], [four, six]), { addresses: [four, six], warnings: [] });
  assert.deepEqual(of([four, six], [four]), {
    addresses: [four],
    warnings: ['Cannot listen on "fd00:198::1": no interface has it; BGP runs without until one does'],
  });
  assert.deepEqual(of([four, six], []), { addresses: [four, six], warnings: [] });
  assert.deepEqual(of([any], []), { addresses: [any], warnings: [] });
});

function rib(prefix: string, change: Partial<RibPath> = {}): RibPath {
  const numbers = { asPathLength: 0, localPref: 100, med: 0, origin: 0 };
  const flags = { local: true, stale: false, ebgp: false };
  return {
    prefix: cidr(prefix),
    nextHop: ip(ADDRESS.n1),
    asPath: [],
    communities: [],
    ...numbers,
    ...flags,
    ...change,
  };
}

const PATHS = [
  { name: 'a fresh table', given: [], add: [BLOCK.n1], remove: [] },
  { name: 'all there', given: [rib(BLOCK.n1)], add: [], remove: [] },
  { name: 'another next hop', given: [rib(BLOCK.n1, { nextHop: ip(ADDRESS.n2) })], add: [BLOCK.n1], remove: [] },
  { name: 'other communities', given: [rib(BLOCK.n1, { communities: [1] })], add: [BLOCK.n1], remove: [] },
  {
    name: 'other large communities',
    given: [rib(BLOCK.n1, { largeCommunities: [[1, 2, 3]] })],
    add: [BLOCK.n1],
    remove: [],
  },
  { name: 'another preference', given: [rib(BLOCK.n1, { localPref: 0 })], add: [BLOCK.n1], remove: [] },
  { name: 'another MED', given: [rib(BLOCK.n1, { med: 1 })], add: [BLOCK.n1], remove: [] },
  { name: 'one too many', given: [rib(BLOCK.n1), rib('10.244.9.0/24')], add: [], remove: ['10.244.9.0/24'] },
  { name: 'a learned one is not ours', given: [rib(BLOCK.n2, { local: false })], add: [BLOCK.n1], remove: [] },
];

for (const { name, given, add, remove } of PATHS) {
  test(`planPaths() ${name}`, () => {
    const plan = planPaths(given, DESIRED.paths);
    assert.deepEqual([plan.add.map(({ prefix }) => prefix), plan.remove.map(({ prefix }) => prefix)], [add, remove]);
  });
}

test('planPeers() compares notes', () => {
  assert.ok(TOR && N2);
  const plan = (...actual: readonly (readonly [address: string, note: string, password?: string])[]) => {
    const { add, replace, remove, unchanged } = planPeers(
      new Map(actual.map(([address, note, password = '']) => [ip(address), { note, password }])),
      DESIRED.peers,
      noteOf,
    );
    const addresses = (peers: typeof add) => peers.map(({ address }) => address);
    return { add: addresses(add), replace: addresses(replace), remove, unchanged };
  };
  const [tor, n2] = [ADDRESS.tor, ADDRESS.n2];
  assert.deepEqual(plan(), { add: [tor, n2], replace: [], remove: [], unchanged: 0 });
  assert.deepEqual(plan([n2, noteOf(N2)]), { add: [tor], replace: [], remove: [], unchanged: 1 });
  assert.deepEqual(plan([n2, noteOf({ ...N2, holdTimeSeconds: 9 })], [tor, noteOf(TOR)]), {
    add: [],
    replace: [n2],
    remove: [],
    unchanged: 1,
  });
  assert.deepEqual(plan([n2, noteOf(N2), 'secret'], [tor, noteOf(TOR)]).replace, [n2]);
  assert.deepEqual(plan(['192.0.2.1', ''], [n2, ''], [tor, noteOf(TOR)]), {
    add: [],
    replace: [n2],
    remove: ['192.0.2.1'],
    unchanged: 1,
  });
});

test('planPaths() withdraws and advertises again what peers have that should not', () => {
  const plan = planPaths([rib(BLOCK.n1)], DESIRED.paths, new Set([BLOCK.n1, BLOCK.n2]));
  assert.deepEqual(
    [plan.remove, plan.add].map((list) => list.map(({ prefix }) => prefix)),
    [[BLOCK.n1], [BLOCK.n1]],
  );
});

test('changedPaths() tells two desired states apart', () => {
  const path = { nextHop: ip(ADDRESS.n1) };
  const before = new Map([
    [BLOCK.n1, path],
    [BLOCK.n2, path],
  ]);
  const changed = { ...path, med: 1 };
  assert.deepEqual(changedPaths(before, new Map([[BLOCK.n1, changed]])), {
    add: [{ prefix: BLOCK.n1, path: changed }],
    remove: [{ prefix: BLOCK.n2, path }],
  });
  assert.deepEqual(changedPaths(before, before), { add: [], remove: [] });
});

test('keyLimitWarning() speaks up before keys no longer fit', () => {
  assert.ok(N2);
  const keyed = (count: number) => Array(count).fill({ ...N2, password: 'secret' });
  assert.equal(keyLimitWarning([...keyed(866), N2], 131_072), undefined);
  assert.equal(keyLimitWarning(keyed(100_000), undefined), undefined);
  assert.equal(
    keyLimitWarning(keyed(150), 20_480),
    'Cannot be sure of 150 peers with passwords: net.core.optmem_max is 20480, room for about 150, expected at least 22667',
  );
});

test('noteOf() says nothing of the password', () => {
  assert.ok(N2);
  assert.equal(noteOf({ ...N2, password: 'secret' }), noteOf(N2));
});

test('noteOf() keeps the text for people and does not depend on the order of keys', () => {
  assert.ok(TOR);
  assert.match(noteOf(TOR), /^BGPPeer tor #[0-9a-f]{16}$/);
  assert.equal(descriptionOf(noteOf(TOR)), 'BGPPeer tor');
  assert.equal(descriptionOf('set by hand'), 'set by hand');
  assert.equal(shortHash({ a: 1, b: { c: [1, 2], d: 'x' } }), shortHash({ b: { d: 'x', c: [1, 2] }, a: 1 }));
  assert.notEqual(shortHash({ a: [1, 2] }), shortHash({ a: [2, 1] }));
});
