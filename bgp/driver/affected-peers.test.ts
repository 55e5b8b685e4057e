import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import type { RoutePolicy, RouteStatement } from '../model/route-policy.ts';
import { affectedPeers } from './affected-peers.ts';

const [A, B] = ['198.51.100.1', '198.51.100.2'].map((text) => unwrap(parseIp(text)));
assert.ok(A && B);
const PEERS = [A, B];
const policy = (...statements: readonly Omit<RouteStatement, 'name'>[]): RoutePolicy => ({
  statements: statements.map((statement, index) => ({ name: `${index}`, ...statement })),
  otherwise: 'accept',
});
const reject = (...peers: readonly (typeof A)[]): Omit<RouteStatement, 'name'> => ({
  match: { peers },
  action: 'reject',
});

const ROWS = [
  { name: 'unknown before', before: undefined, after: policy(), expected: PEERS },
  { name: 'equal', before: policy(reject(A)), after: policy(reject(A)), expected: [] },
  { name: 'a peer more in a list', before: policy(reject(A)), after: policy(reject(A, B)), expected: [B] },
  { name: 'a statement of one', before: policy(reject(A)), after: policy(), expected: [A] },
  { name: 'a statement of all', before: policy(), after: policy({ match: {}, action: 'reject' }), expected: PEERS },
  { name: 'another name alone', before: policy(reject(A), reject()), after: policy(reject(), reject(A)), expected: [] },
  { name: 'another rest', before: policy(), after: { ...policy(), otherwise: 'reject' as const }, expected: PEERS },
];

for (const { name, before, after, expected } of ROWS) {
  test(`affectedPeers() ${name}`, () => assert.deepEqual(affectedPeers(before, after, PEERS), expected));
}
