import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADDRESS, asn, desiredOf, ip } from '../../test/support/bgp-world.ts';
import { type PeerFacts, peerHints } from './peer-hints.ts';
import type { DesiredPeer, PeerState } from './types.ts';

const [mesh] = [...desiredOf('n1').peers.values()].filter(({ address }) => address === ADDRESS.n2);
assert.ok(mesh);
const desired: DesiredPeer = { ...mesh, asn: asn(64600), connect: 'active' };
const down: PeerState = {
  address: ip(ADDRESS.n2),
  asn: 64600,
  state: 'active',
  flaps: 0,
  received: 0,
  accepted: 0,
  advertised: 0,
  endOfRib: false,
  description: 'BGPPeer tor',
};
const up: PeerState = { ...down, state: 'established', received: 5, accepted: 5, advertised: 1, endOfRib: true };
const facts: PeerFacts = {
  desired,
  ownAsn: 64512,
  state: up,
  everEstablished: true,
  refused: false,
  keyMemoryShort: false,
  refusals: [],
  ownAsnLoops: 0,
  originates: true,
  settled: false,
};
const outside = { why: 'it is outside every IP pool', hint: 'name it', kind: 'rule' } as const;
const lost = { why: 'no route leads to its next hop "192.0.2.1"', kind: 'next-hop' } as const;
const bfd = { receiveMs: 300, transmitMs: 300, multiplier: 3 };

const rows: readonly {
  readonly name: string;
  readonly given: Partial<PeerFacts>;
  readonly expected: readonly RegExp[];
}[] = [
  { name: 'all is well', given: {}, expected: [] },
  { name: 'gobgpd has no such peer', given: { state: undefined }, expected: [/does not have this peer yet/] },
  { name: 'prefix limit', given: { state: { ...down, overLimit: true } }, expected: [/more than \d+ prefixes/] },
  { name: 'no route to it', given: { state: down, unreachable: 'no route' }, expected: [/^no route; expected a/] },
  {
    name: 'wrong AS number as 4.x tells it',
    given: { state: { ...down, lastError: 'wrong AS number of the peer' } },
    expected: [/AS numbers do not fit: expected AS 64600 there and AS 64512 for this node/],
  },
  {
    name: 'hold timer',
    given: { state: { ...down, lastError: 'hold timer expired' } },
    expected: [/drops packets in one direction/],
  },
  {
    name: 'keyed and never up',
    given: { state: down, everEstablished: false, desired: { ...desired, password: 'secret' } },
    expected: [/a password is set and there has been no session/],
  },
  {
    name: 'keyed, never up, and the kernel is short of memory',
    given: { state: down, everEstablished: false, keyMemoryShort: true, desired: { ...desired, password: 'secret' } },
    expected: [/optmem_max/, /a password is set/],
  },
  {
    name: 'keyed and up before: a password that fitted',
    given: { state: down, desired: { ...desired, password: 'secret' } },
    expected: [/does not answer on TCP port 179.*; a password that was changed on one side alone/],
  },
  { name: 'refused', given: { state: down, refused: true }, expected: [/refused at the OPEN: expected AS 64600/] },
  { name: 'it dials', given: { state: down, desired: { ...desired, connect: 'passive' } }, expected: [/^waits for/] },
  {
    name: 'nothing from another AS',
    given: { state: { ...up, received: 0, accepted: 0 } },
    expected: [/RFC 8212/],
  },
  {
    name: 'nothing from a node without blocks',
    given: { state: { ...up, received: 0, accepted: 0 }, desired: { ...desired, asn: asn(64512) } },
    expected: [],
  },
  { name: 'some refused', given: { refusals: [outside] }, expected: [] },
  {
    name: 'all refused',
    given: { refusals: Array(5).fill(outside) },
    expected: [/all that it sends is refused, for instance because it is outside every IP pool; name it/],
  },
  { name: 'unresolved', given: { refusals: [lost, lost] }, expected: [/^2 paths unused: no route leads to/] },
  { name: 'racks of one AS', given: { ownAsnLoops: 3 }, expected: [/numAllowedLocalASNumbers/] },
  { name: 'told nothing', given: { state: { ...up, advertised: 0 } }, expected: [/it is told nothing/] },
  { name: 'nothing to tell', given: { state: { ...up, advertised: 0 }, originates: false }, expected: [] },
  { name: 'no End-of-RIB', given: { state: { ...up, endOfRib: false } }, expected: [/no End-of-RIB yet/] },
  { name: 'no End-of-RIB, long ago', given: { state: { ...up, endOfRib: false }, settled: true }, expected: [] },
  { name: 'BFD that gobgpd does not know', given: { desired: { ...desired, bfd } }, expected: [/gobgpd 4\.5/] },
];

for (const { name, given, expected } of rows) {
  test(`peerHints(): ${name}`, () => {
    const hints = peerHints({ ...facts, ...given });
    assert.equal(hints.length, expected.length, hints.join('\n'));
    for (const [index, pattern] of expected.entries()) assert.match(hints[index] ?? '', pattern);
    assert.ok(!hints.join().includes('secret'));
  });
}
