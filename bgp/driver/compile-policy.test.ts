import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCidr } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import type { Community, RouteStatement } from '../model/route-policy.ts';
import { compilePolicy, type PolicyDirection } from './compile-policy.ts';

const ip = (text: string) => unwrap(parseIp(text));
const cidr = (text: string) => unwrap(parseCidr(text));
const STANDARD: Community = { kind: 'standard', value: 65000 * 65536 + 1 };
const LARGE: Community = { kind: 'large', global: 4200000000, local1: 1, local2: 2 };

function compiled(statements: readonly Omit<RouteStatement, 'name'>[], direction: PolicyDirection = 'export') {
  const named = statements.map((statement) => ({ name: 'same', ...statement }));
  return compilePolicy({ name: 'p', direction, policy: { statements: named, otherwise: 'reject' } });
}

/** Without the last one, which decides the rest. */
const bodies = (...given: Parameters<typeof compiled>) => compiled(...given).statements.slice(0, -1);

test('the last statement decides the rest; what originates here is always let in', () => {
  assert.deepEqual(compiled([]).statements, [
    { name: 'p-0', match: { sets: [], nextHops: [] }, addCommunities: [], action: 'reject' },
  ]);
  assert.deepEqual(bodies([], 'import'), [
    { name: 'p-0', match: { sets: [], nextHops: [], source: 'local' }, addCommunities: [], action: 'accept' },
  ]);
});

test('an empty list fits nothing: gobgpd would take it for everything', () => {
  for (const match of [{ peers: [] }, { prefixes: [] }, { communities: [] }, { nextHops: [] }]) {
    assert.deepEqual(bodies([{ match, action: 'accept' }]), []);
  }
});

test('a statement that changes nothing and goes on is left out', () => {
  assert.deepEqual(bodies([{ match: {}, action: 'continue' }]), []);
});

test('equal sets are made once, named after the policy', () => {
  const peers = [ip('198.51.100.1'), ip('fd00::1')];
  const { sets, statements } = compiled([
    { match: { peers }, action: 'accept' },
    { match: { peers, source: 'local' }, action: 'reject' },
  ]);
  assert.deepEqual(sets, [
    { kind: 'neighbor', name: 'p-set-0', list: ['198.51.100.1/32', 'fd00::1/128'], prefixes: [] },
  ]);
  assert.deepEqual(statements[1]?.match, {
    sets: [{ kind: 'neighbor', name: 'p-set-0', fits: 'any' }],
    source: 'local',
    nextHops: [],
  });
});

test('a prefix inside another one inherits its lengths', () => {
  const prefixes = [
    { cidr: cidr('10.0.0.0/8'), min: 8, max: 24 },
    { cidr: cidr('10.244.0.0/16'), min: 32, max: 32 },
    { cidr: cidr('10.244.1.0/26'), min: 26, max: 26 },
  ];
  assert.deepEqual(compiled([{ match: { prefixes }, action: 'accept' }]).sets[0]?.prefixes, [
    prefixes[0],
    prefixes[1],
    { cidr: '10.244.0.0/16', min: 16, max: 24 },
    prefixes[2],
    { cidr: '10.244.1.0/26', min: 32, max: 32 },
  ]);
});

test('one of several communities is enough, whatever their kind', () => {
  const match = { communities: [STANDARD, LARGE] };
  const { sets, statements } = compiled([{ match, set: { prependAsPath: [1] }, action: 'continue' }]);
  assert.deepEqual(
    sets.map(({ list }) => list),
    [['65000:1'], ['4200000000:1:2']],
  );
  assert.deepEqual(
    statements.slice(0, -1).map((one) => one.match.sets.map(({ kind, fits }) => `${kind} ${fits}`)),
    [['community any'], ['community none', 'large-community any']],
  );
});

test('a list of AS numbers is prepended run by run, and each statement expects what the one before left', () => {
  const set = { prependAsPath: [7, 7, 8], med: 5, localPref: 0 };
  const { sets, statements } = compiled([{ match: { asPathPrefix: [65001, 65002] }, set, action: 'accept' }]);
  assert.deepEqual(
    statements.slice(0, -1).map(({ prepend, med, localPref, action }) => ({ prepend, med, localPref, action })),
    [
      { prepend: { asn: 8, repeat: 1 }, med: undefined, localPref: undefined, action: 'continue' },
      // gobgpd cannot set 0; the lowest that it can is as good.
      { prepend: { asn: 7, repeat: 2 }, med: 5, localPref: 1, action: 'accept' },
    ],
  );
  assert.deepEqual(
    sets.flatMap(({ list }) => list),
    ['^65001 65002(?: |$)', '^8 65001 65002(?: |$)'],
  );
});
