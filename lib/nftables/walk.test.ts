import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Ip } from '../ip.ts';
import type {
  Chain,
  ChainName,
  Hook,
  KeyType,
  NftObject,
  Operand,
  Scalar,
  SetName,
  Statement,
  Verdict,
} from './ast.ts';
import { rulesetOf } from './testing/arbitrary.ts';
import { type WalkPacket, walk } from './walk.ts';

const PACKET: WalkPacket = {
  iifname: 'mgy1',
  oifname: 'mgy2',
  saddr: '10.244.0.5' as Ip,
  daddr: '10.244.1.6' as Ip,
  protocol: 'tcp',
  sport: 40_000,
  dport: 80,
  ctState: 'new',
  ctDirection: 'original',
  ctMark: 0,
};

const payload = (field: Extract<Operand, { kind: 'payload' }>['field']): Operand => ({ kind: 'payload', field });
const meta = (key: Extract<Operand, { kind: 'meta' }>['key']): Operand => ({ kind: 'meta', key });
const match = (left: Operand, op: '==' | '!=', right: Scalar): Statement => ({ kind: 'match', left, op, right });
const verdict = (kind: 'accept' | 'drop' | 'return'): Statement => ({ kind: 'verdict', verdict: { kind } });
const to = (kind: 'jump' | 'goto', chain: string): Statement => ({
  kind: 'verdict',
  verdict: { kind, chain: chain as ChainName },
});
const chain = (name: string, rules: readonly (readonly Statement[])[], hook?: Partial<Hook>): Chain => ({
  kind: 'chain',
  name: name as ChainName,
  ...(hook === undefined
    ? {}
    : { hook: { type: 'filter', hook: 'forward', priority: 0, policy: 'accept', ...hook } as const }),
  rules: rules.map((statements) => ({ statements })),
});
const base = (...rules: readonly (readonly Statement[])[]): Chain => chain('base', rules, { policy: 'drop' });
const set = (
  name: string,
  keyTypes: readonly KeyType[],
  interval: boolean,
  ...keys: readonly (readonly Scalar[])[]
): NftObject[] => [
  { kind: 'set', name: name as SetName, keyTypes, interval },
  ...keys.map((key): NftObject => ({ kind: 'element', set: name as SetName, key })),
];
const lookup = (name: string, ...key: readonly Operand[]): Statement => ({
  kind: 'lookup',
  key,
  op: 'in',
  set: name as SetName,
});

const rows: readonly {
  readonly name: string;
  readonly given: readonly NftObject[];
  readonly packet?: Partial<WalkPacket>;
  readonly expected: string;
}[] = [
  { name: 'accepts where nothing is', given: [], expected: 'accept:' },
  { name: 'ends with the policy', given: [base()], expected: 'drop:' },
  {
    name: 'goes on behind an accept with the next base chain, in order of priority',
    given: [
      chain('late', [[verdict('drop')]], { priority: 1 }),
      chain('early', [[verdict('accept')], [verdict('drop')]], { priority: -1 }),
    ],
    expected: 'drop: early/0 late/0',
  },
  { name: 'passes over other hooks', given: [chain('b', [[verdict('drop')]], { hook: 'input' })], expected: 'accept:' },
  {
    name: 'comes back from a jump, not from a goto',
    given: [
      base([to('jump', 'a')], [verdict('accept')]),
      chain('a', [[to('goto', 'b')], [verdict('drop')]]),
      chain('b', [[verdict('return')], [verdict('drop')]]),
    ],
    expected: 'accept: base/0 a/0 b/0 base/1',
  },
  {
    name: 'finds addresses in hash and interval sets',
    given: [
      base([lookup('s', payload('ip saddr')), lookup('n', payload('ip daddr')), verdict('accept')]),
      ...set('s', ['ipv4_addr'], false, ['10.244.0.5' as Ip]),
      ...set('n', ['ipv4_addr'], true, [{ from: '10.244.1.0' as Ip, to: '10.244.1.255' as Ip }]),
    ],
    expected: 'accept: base/0',
  },
  {
    name: 'finds concatenations with protocols as words',
    given: [
      base([lookup('p', payload('ip daddr'), meta('l4proto'), payload('th dport')), verdict('accept')]),
      ...set('p', ['ipv4_addr', 'inet_proto', 'inet_service'], false, ['10.244.1.6' as Ip, 'tcp', 80]),
    ],
    expected: 'accept: base/0',
  },
  {
    name: 'ends a rule at a field that the packet does not have, also under !=',
    given: [base([match(payload('ip6 saddr'), '!=', 'fd00::1' as Ip), verdict('accept')])],
    expected: 'drop:',
  },
  {
    name: 'follows a verdict map, and ends the rule where it has no element',
    given: [
      base(
        [{ kind: 'vmap', key: [meta('oifname')], map: 'v' as SetName }],
        [{ kind: 'vmap', key: [meta('iifname')], map: 'v' as SetName }],
      ),
      chain('k', [[verdict('accept')]]),
      { kind: 'set', name: 'v' as SetName, keyTypes: ['ifname'], interval: false, data: 'verdict' },
      {
        kind: 'element',
        set: 'v' as SetName,
        key: ['mgy1'],
        verdict: { kind: 'goto', chain: 'k' as ChainName } satisfies Verdict,
      },
    ],
    expected: 'accept: base/1 k/0',
  },
  {
    name: 'matches names by prefix and states by word',
    given: [
      base([match(meta('iifname'), '==', 'mgy*'), match({ kind: 'ct', key: 'state' }, '==', 'new'), verdict('accept')]),
    ],
    expected: 'accept: base/0',
  },
  ...(['invalid', 'untracked'] as const).map((ctState) => ({
    name: `asks a packet that is ${ctState} for nothing of conntrack but that`,
    given: [
      base(
        [match({ kind: 'ct-mark', mask: 0xffff }, '!=', 1), verdict('accept')],
        [match({ kind: 'ct', key: 'direction' }, '==', 'original'), verdict('accept')],
        [match({ kind: 'ct', key: 'state' }, '!=', 'established')],
      ),
    ],
    packet: { ctState },
    expected: 'drop: base/2',
  })),
  {
    name: 'finds no port of an ICMP packet in a set',
    given: [base([match(payload('th dport'), '==', 80), verdict('accept')])],
    packet: { protocol: 'icmp', icmpType: 8 },
    expected: 'drop:',
  },
];

for (const { name, given, packet, expected } of rows) {
  test(`walk() ${name}`, () => {
    const result = walk(rulesetOf(given), 'forward', { ...PACKET, ...packet });
    const path = result.path.map((step) => ` ${step.chain}/${step.index}`).join('');
    assert.equal(`${result.verdict}:${path}`, expected);
  });
}

test('walk() carries a new mark to later chains and out', () => {
  const generation: Operand = { kind: 'ct-mark', mask: 0xffff };
  const stamp: Statement = { kind: 'set-ct-mark', mask: 0xffff, value: 7 };
  const ruleset = rulesetOf([
    chain('a', [[match(generation, '!=', 7), stamp]], { priority: -1 }),
    chain('b', [[match(generation, '==', 7), verdict('accept')]], { policy: 'drop' }),
  ]);
  const result = walk(ruleset, 'forward', { ...PACKET, ctMark: 0x10003 });
  assert.deepEqual([result.verdict, result.ctMark], ['accept', 0x10007]);
});

test('walk() throws on what it does not evaluate', () => {
  const refused: readonly (readonly [string, readonly NftObject[], RegExp])[] = [
    ['fib', [base([match({ kind: 'fib', result: 'type', flags: ['daddr'] }, '==', 'local')])], /fib/],
    ['unknown', [base([{ kind: 'unknown', expression: 'queue' }])], /unknown/],
    ['a missing chain', [base([to('jump', 'nowhere')])], /nowhere/],
    ['a missing set', [base([lookup('nothing', payload('ip saddr'))])], /nothing/],
    ['a loop', [base([to('jump', 'a')]), chain('a', [[to('jump', 'a')]])], /deeper/],
  ];
  for (const [name, objects, message] of refused) {
    assert.throws(() => walk(rulesetOf(objects), 'forward', PACKET), { message }, name);
  }
});
