import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ADDRESS, BLOCK, cidr, desiredOf, ip } from '../../test/support/bgp-world.ts';
import { type ExplainPeer, explainPrefix } from './explain-prefix.ts';
import type { RibPath } from './types.ts';

const PREFIX = cidr('10.244.9.0/24');
const { policies } = desiredOf('n1');
const path = (from: string, change: Partial<RibPath> = {}): RibPath => ({
  prefix: PREFIX,
  nextHop: ip(from),
  from: ip(from),
  local: false,
  stale: false,
  asPath: [64600],
  asPathLength: 1,
  localPref: 100,
  med: 0,
  origin: 0,
  communities: [],
  ebgp: true,
  ...change,
});
const peer = (name: string, address: string, change: Partial<ExplainPeer> = {}): ExplainPeer => ({
  name,
  address: ip(address),
  prepended: 64512,
  established: true,
  heard: [],
  told: [],
  ...change,
});
const linesOf = (input: Partial<Parameters<typeof explainPrefix>[0]>, title: string): readonly string[] => {
  const steps = explainPrefix({
    prefix: PREFIX,
    own: [],
    paths: [],
    rejected: [],
    policies,
    peers: [],
    wayTo: (nextHop) => `way to ${nextHop}`,
    kernel: [],
    ...input,
  });
  return steps.find((step) => step.title === title)?.lines ?? [];
};

const A = '203.0.113.1';
const B = '203.0.113.2';
const C = '203.0.113.3';
const D = '203.0.113.4';
const peers = [peer('a', A), peer('b', B), peer('c', C), peer('d', D)];

test('explainPrefix() compares paths step by step, without the refused ones', () => {
  const paths = [
    path(A),
    path(B, { asPath: [64601] }),
    path(C, { asPath: [64602, 64600], asPathLength: 2 }),
    path(D, { localPref: 900 }),
  ];
  const rejected = [{ prefix: PREFIX, from: ip(D), why: 'it is outside every IP pool', hint: 'name it' }];
  const input = { paths, peers, rejected };
  assert.deepEqual(linesOf(input, 'Best path'), [
    'highest LOCAL_PREF: all 3 alike',
    `shortest AS path: drops c (${C})`,
    'lowest ORIGIN: all 2 alike',
    'lowest MED of each neighbouring AS: all 2 alike',
    'eBGP before iBGP: all 2 alike',
    `equal paths, used together: a (${A}), b (${B})`,
  ]);
  assert.deepEqual(linesOf(input, 'Next hops'), [`${A}: way to ${A}`, `${B}: way to ${B}`]);
  assert.match(linesOf(input, 'Paths in the table')[3] ?? '', /refused: it is outside every IP pool \(name it\)$/);
});

test('explainPrefix() says who is told, and which rule decides', () => {
  const own = path(ADDRESS.n1, { prefix: BLOCK.n1, local: true, asPath: [], asPathLength: 0, ebgp: false });
  const { from: _, ...local } = own;
  const told = [peer('tor', ADDRESS.tor, { told: [{ ...local, asPath: [64512] }] })];
  assert.deepEqual(linesOf({ paths: [local], peers: told }, 'Told to peers'), [
    `tor (${ADDRESS.tor}): told, next hop ${ADDRESS.n1}, AS path 64512, LOCAL_PREF 100, by "what originates here"`,
  ]);
  const rejected = [{ prefix: BLOCK.n1, from: ip(A), why: 'it is the block of this node' }];
  assert.deepEqual(linesOf({ paths: [local, path(A)], rejected, peers: told }, 'Best path'), [
    "best: the node's own, originated here",
  ]);
  assert.deepEqual(linesOf({ paths: [path(A)], peers: [peer('a', A), peer('b', B)] }, 'Told to peers'), [
    `a (${A}): nothing, there is no path but its own`,
    `b (${B}): not told, no rule lets it out: learned paths stay on the node`,
  ]);
});

test('explainPrefix() says what a peer sent that never came into the table', () => {
  const looped = path(A, { asPath: [64600, 64512] });
  assert.match(
    linesOf({ peers: [peer('a', A, { heard: [looped] })] }, 'Heard from peers')[0] ?? '',
    /into the table, no rule of a BGPFilter decides; gobgpd keeps it out all the same: own AS number in its path$/,
  );
});
