import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Ip } from '../ip.ts';
import type { ChainName, CounterName, Hook, NftObject, Operand, Rule, Scalar, SetName, Statement } from './ast.ts';
import { ruleExpressions } from './encode/rule.ts';
import { printObject, printPriority, printRule, printRuleset } from './print.ts';
import { canonicalRule } from './print-rule.ts';
import { sameObjects } from './same.ts';
import { rulesetOf, rulesets } from './testing/arbitrary.ts';

const payload = (field: Extract<Operand, { kind: 'payload' }>['field']): Operand => ({ kind: 'payload', field });
const meta = (key: Extract<Operand, { kind: 'meta' }>['key']): Operand => ({ kind: 'meta', key });
const is = (left: Operand, ...values: readonly Scalar[]): Statement => ({
  kind: 'match',
  left,
  op: '==',
  right: values.length === 1 && values[0] !== undefined ? values[0] : { anyOf: values },
});
const not = (left: Operand, ...values: readonly Scalar[]): Statement =>
  ({ ...is(left, ...values), op: '!=' }) as Statement;
const accept: Statement = { kind: 'verdict', verdict: { kind: 'accept' } };
const state: Operand = { kind: 'ct', key: 'state' };
const generation: Operand = { kind: 'ct-mark', mask: 0xffff };

const rows: readonly { readonly name: string; readonly given: readonly Statement[]; readonly expected: string }[] = [
  {
    name: 'folds a protocol match into the field behind it',
    given: [is(meta('l4proto'), 'tcp'), is(payload('th dport'), 80), accept],
    expected: 'tcp dport 80 accept',
  },
  {
    name: 'leaves out a protocol match that a later field implies',
    given: [is(meta('l4proto'), 'tcp'), is(payload('ip saddr'), '10.244.0.1' as Ip), is(payload('tcp dport'), 80)],
    expected: 'ip saddr 10.244.0.1 tcp dport 80',
  },
  {
    name: 'sorts anonymous sets and prints prefixes in them',
    given: [is(payload('ip saddr'), { from: '10.1.0.0' as Ip, to: '10.1.255.255' as Ip }, '10.0.0.1' as Ip)],
    expected: 'ip saddr { 10.0.0.1, 10.1.0.0/16 }',
  },
  {
    name: 'keeps a range outside of a set a range',
    given: [is(payload('ip saddr'), { from: '10.1.0.0' as Ip, to: '10.1.255.255' as Ip })],
    expected: 'ip saddr 10.1.0.0-10.1.255.255',
  },
  { name: 'prints a set of one as the value', given: [is(payload('udp dport'), 53, 53)], expected: 'udp dport 53' },
  {
    name: 'prints states as flags',
    given: [is(state, 'related', 'established')],
    expected: 'ct state established,related',
  },
  {
    name: 'prints other states as a set',
    given: [not(state, 'new', 'invalid')],
    expected: 'ct state != { invalid, new }',
  },
  { name: 'prints a masked mark', given: [is(generation, 1)], expected: 'ct mark & 0x0000ffff == 0x00000001' },
  {
    name: 'prints a mask of high bits as a prefix',
    given: [not({ kind: 'ct-mark', mask: 0xffff_0000 }, 0x30000)],
    expected: 'ct mark != 0x00030000/16',
  },
  {
    name: 'prints a new mark as the kernel holds it',
    given: [{ kind: 'set-ct-mark', mask: 0xffff, value: 1 }],
    expected: 'ct mark set ct mark & 0xffff0001 | 0x00000001',
  },
  { name: 'prints a name prefix', given: [not(meta('iifname'), 'mgy*')], expected: 'iifname != "mgy*"' },
  {
    name: 'prints concatenations',
    given: [
      { kind: 'lookup', key: [meta('iifname'), payload('ip saddr')], op: 'not in', set: 'ep' as SetName },
      { kind: 'counter-ref', counter: 'n' as CounterName },
      { kind: 'verdict', verdict: { kind: 'drop' } },
    ],
    expected: 'iifname . ip saddr != @ep counter name "n" drop',
  },
  {
    name: 'adds the protocol that a reset needs',
    given: [{ kind: 'reject', with: 'tcp reset' }],
    expected: 'meta l4proto tcp reject with tcp reset',
  },
  {
    name: 'does not repeat it',
    given: [is(payload('tcp dport'), 22), { kind: 'reject', with: 'tcp reset' }],
    expected: 'tcp dport 22 reject with tcp reset',
  },
  {
    name: 'prints address translation',
    given: [{ kind: 'dnat', family: 6, address: 'fd00::1' as Ip, port: 80 }],
    expected: 'dnat ip6 to [fd00::1]:80',
  },
  {
    name: 'prints ICMP types by name',
    given: [is(payload('icmpv6 type'), 135, 136, 200)],
    expected: 'icmpv6 type { nd-neighbor-solicit, nd-neighbor-advert, 200 }',
  },
];

for (const { name, given, expected } of rows) {
  test(`printRule() ${name}`, () => assert.equal(printRule({ statements: given }), expected));
}

const refused: readonly { readonly name: string; readonly rule: Rule; readonly expected: RegExp }[] = [
  { name: 'a quote in a comment', rule: { statements: [accept], comment: 'a "b"' }, expected: /has a quote/ },
  { name: 'a port that is none', rule: { statements: [is(payload('th dport'), 70_000)] }, expected: /inet_service/ },
  {
    name: 'an address of the other family',
    rule: { statements: [is(payload('ip saddr'), 'fd00::1' as Ip)] },
    expected: /ipv4_addr/,
  },
  {
    name: 'a name where an address belongs',
    rule: { statements: [is(payload('ip saddr'), 'a.b.c.d')] },
    expected: /ipv4_addr/,
  },
  { name: 'an unknown state', rule: { statements: [is(state, 'old')] }, expected: /"old".*ct_state/ },
  {
    name: 'a reversed range',
    rule: { statements: [is(payload('th dport'), { from: 9, to: 3 })] },
    expected: /reversed/,
  },
  { name: 'an empty set', rule: { statements: [is(payload('th dport'))] }, expected: /empty set/ },
  { name: 'a name too long', rule: { statements: [is(meta('iifname'), 'mgy0123456789abc')] }, expected: /ifname/ },
  {
    name: 'a mark outside of its mask',
    rule: { statements: [{ kind: 'set-ct-mark', mask: 0xff, value: 0x100 }] },
    expected: /outside of mask/,
  },
];

for (const { name, rule, expected } of refused) {
  test(`printRule() refuses ${name}`, () => assert.throws(() => printRule(rule), { message: expected }));
}

test('printPriority() is relative to the names of nft(8) that the hook has', () => {
  const rows: readonly (readonly [Hook['hook'], number, string])[] = [
    ['forward', -3, 'filter - 3'],
    ['prerouting', -300, 'raw'],
    ['prerouting', -100, 'dstnat'],
    ['output', -100, '-100'],
    ['postrouting', 101, 'srcnat + 1'],
    ['input', 11, '11'],
  ];
  for (const [hook, priority, expected] of rows) assert.equal(printPriority({ hook, priority }), expected);
});

test('printRuleset() prints a table sorted by name, regular chains before base chains', () => {
  const objects: readonly NftObject[] = [
    {
      kind: 'chain',
      name: 'a_base' as ChainName,
      hook: { type: 'filter', hook: 'forward', priority: -3, policy: 'accept' },
      rules: [{ statements: [{ kind: 'vmap', key: [meta('iifname')], map: 'v' as SetName }], comment: 'dispatch' }],
    },
    { kind: 'chain', name: 'z' as ChainName, rules: [{ statements: [{ kind: 'counter' }, accept] }] },
    { kind: 'element', set: 'v' as SetName, key: ['mgy1'], verdict: { kind: 'goto', chain: 'z' as ChainName } },
    { kind: 'set', name: 'v' as SetName, keyTypes: ['ifname'], interval: false, data: 'verdict' },
    { kind: 'set', name: 'n4' as SetName, keyTypes: ['ipv4_addr'], interval: true },
    { kind: 'counter', name: 'c' as CounterName },
  ];
  assert.equal(
    printRuleset(rulesetOf(objects)),
    `table inet margay-test {
	counter c {
		packets 0 bytes 0
	}

	set n4 {
		type ipv4_addr
		flags interval
	}

	map v {
		type ifname : verdict
		elements = { "mgy1" : goto z }
	}

	chain z {
		counter accept
	}

	chain a_base {
		type filter hook forward priority filter - 3; policy accept;
		iifname vmap @v comment "dispatch"
	}
}
`,
  );
  assert.equal(printObject(objects[2] as NftObject), 'element v { "mgy1" : goto z }');
  assert.equal(printObject(objects[1] as NftObject), 'chain z {\n\tcounter accept\n}');
});

test('ruleExpressions() loads once what a lookup right behind a comparison uses again', () => {
  const pods = is(meta('iifname'), 'mgy*');
  const key = [meta('iifname'), payload('ip saddr')];
  const lookup: Statement = { kind: 'lookup', key, op: 'in', set: 'ep' as SetName };
  const kinds = (...statements: readonly Statement[]): string =>
    ruleExpressions({ statements })
      .map((one) => (one.kind === 'meta' ? `meta ${one.key}` : one.kind))
      .join(', ');
  const [NFPROTO, IIFNAME] = ['meta 15', 'meta 6'];
  assert.equal(kinds(pods, lookup), `${NFPROTO}, cmp, ${IIFNAME}, cmp, payload, lookup`);
  assert.equal(kinds(is(meta('oifname'), 'mgy*'), lookup), `meta 7, cmp, ${NFPROTO}, cmp, ${IIFNAME}, payload, lookup`);
  assert.deepEqual(canonicalRule({ statements: [is(meta('nfproto'), 'ipv4'), pods, lookup] }), {
    statements: [pods, lookup],
  });
});

test('canonicalRule() is a fixed point, and rules compare by it', () => {
  fc.assert(
    fc.property(rulesets, ({ objects }) => {
      for (const object of objects.values()) {
        if (object.kind !== 'chain') continue;
        for (const rule of object.rules) assert.deepEqual(canonicalRule(rule), rule);
      }
      assert.ok(sameObjects(objects, new Map(objects)));
    }),
    { numRuns: 50 },
  );
  const chain = (statements: readonly Statement[]): NftObject => ({
    kind: 'chain',
    name: 'c' as ChainName,
    rules: [{ statements }],
  });
  const long = rulesetOf([chain([is(meta('l4proto'), 'udp'), is(payload('th dport'), 53)])]);
  const short = rulesetOf([chain([is(payload('udp dport'), 53)])]);
  assert.ok(sameObjects(long.objects, short.objects));
  assert.ok(!sameObjects(long.objects, rulesetOf([chain([is(payload('udp dport'), 54)])]).objects));
});
