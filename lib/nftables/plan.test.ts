import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ip } from '../ip.ts';
import type { Chain, ChainName, Element, NftChange, NftObject, NftSet, SetName, Verdict } from './ast.ts';
import { nftKey } from './ast.ts';
import { describeOp } from './ops.ts';
import { planChanges, planReplacement } from './plan.ts';
import { rulesetOf, TABLE } from './testing/arbitrary.ts';

const SET: NftSet = { kind: 'set', name: 's' as SetName, keyTypes: ['ipv4_addr'], interval: false };
const MAP: NftSet = { kind: 'set', name: 'v' as SetName, keyTypes: ['ifname'], interval: false, data: 'verdict' };
const member = (ip: string): Element => ({ kind: 'element', set: SET.name, key: [ip as Ip] });
const entry = (verdict: Verdict): Element => ({ kind: 'element', set: MAP.name, key: ['mgy1'], verdict });
const chain = (name: string, priority?: number): Chain => ({
  kind: 'chain',
  name: name as ChainName,
  ...(priority === undefined ? {} : { hook: { type: 'filter', hook: 'forward', priority, policy: 'accept' } as const }),
  rules: [{ statements: [{ kind: 'counter' }] }],
});

const change = (before: NftObject | undefined, after: NftObject | undefined): NftChange => ({
  key: nftKey((after ?? before) as NftObject),
  before,
  after,
});

const ofTable = ' of table "margay-test"';
const rows: readonly {
  readonly name: string;
  readonly given: readonly NftChange[];
  readonly expected: readonly string[];
}[] = [
  { name: 'nothing', given: [], expected: [] },
  { name: 'an equal object', given: [change(SET, { ...SET })], expected: [] },
  {
    name: 'a set before its elements, elements of a set in one operation',
    given: [change(undefined, member('10.0.0.1')), change(undefined, member('10.0.0.2')), change(undefined, SET)],
    expected: ['add set "s"', 'add elements of set "s"'],
  },
  {
    name: 'a changed verdict as element out and in',
    given: [change(entry({ kind: 'accept' }), entry({ kind: 'drop' }))],
    expected: ['delete elements of set "v"', 'add elements of set "v"'],
  },
  {
    name: 'a new chain before the element that leads to it',
    given: [
      change(entry({ kind: 'accept' }), entry({ kind: 'goto', chain: 'c' as ChainName })),
      change(undefined, chain('c')),
    ],
    expected: ['delete elements of set "v"', 'add chain "c"', 'add elements of set "v"', 'add rule to chain "c"'],
  },
  {
    name: 'a chain with another hook as delete and add',
    given: [change(chain('b', 0), chain('b', 1))],
    expected: ['flush chain "b"', 'delete chain "b"', 'add chain "b"', 'add rule to chain "b"'],
  },
  {
    name: 'no elements of a set that goes, but those of a map that goes',
    given: [
      change(SET, undefined),
      change(member('10.0.0.1'), undefined),
      change(MAP, undefined),
      change(entry({ kind: 'drop' }), undefined),
    ],
    expected: ['delete elements of set "v"', 'delete set "s"', 'delete set "v"'],
  },
];

for (const { name, given, expected } of rows) {
  test(`planChanges() plans ${name}`, () => {
    const ops = planChanges(TABLE, given).map((op) => describeOp(op).replace(ofTable, ''));
    assert.deepEqual(ops, expected);
  });
}

test('planChanges() refuses another type for a set in use', () => {
  assert.throws(() => planChanges(TABLE, [change(SET, { ...SET, interval: true })]), {
    message: 'Cannot change the type of set "s": is in use, expected a new name for another type',
  });
});

test('planReplacement() starts from nothing, whether the table is there or not', () => {
  const ops = planReplacement(rulesetOf([chain('c'), SET])).map((op) => describeOp(op).replace(ofTable, ''));
  assert.deepEqual(ops, [
    'add table "margay-test"',
    'delete table "margay-test"',
    'add table "margay-test"',
    'add set "s"',
    'add chain "c"',
    'add rule to chain "c"',
  ]);
});
