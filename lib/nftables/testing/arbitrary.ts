// Random rulesets of the whole vocabulary for property tests. Names and set types come from fixed pools, so that any two
// rulesets are states of the same table; jumps go to later chains only, so that there are no loops.
import fc from 'fast-check';
import type { Ip } from '../../ip.ts';
import {
  type Chain,
  type ChainName,
  type Counter,
  type CounterName,
  type Element,
  type Hook,
  type KeyType,
  type NftObject,
  type NftSet,
  nftKey,
  type Operand,
  type Rule,
  type Ruleset,
  type Scalar,
  type SetName,
  type Statement,
  type Table,
  type TableName,
  type Verdict,
} from '../ast.ts';
import { provenBy } from '../encode/rule.ts';
import { operandProtocols } from '../operands.ts';
import { canonicalRule } from '../print-rule.ts';
import { NFPROTO } from '../uapi.ts';

export const TABLE: Table = { name: 'margay-test' as TableName, flags: [] };

const COUNTERS: readonly Counter[] = ['n0', 'n1'].map((name) => ({ kind: 'counter', name: name as CounterName }));

const set = (name: string, keyTypes: readonly KeyType[], interval = false): NftSet => ({
  kind: 'set',
  name: name as SetName,
  keyTypes,
  interval,
});
export const SETS: readonly NftSet[] = [
  set('s4', ['ipv4_addr']),
  set('s6', ['ipv6_addr']),
  set('n4', ['ipv4_addr'], true),
  set('n6', ['ipv6_addr'], true),
  set('p4', ['ipv4_addr', 'inet_proto', 'inet_service']),
  set('q', ['inet_proto', 'inet_service'], true),
  set('ep', ['ifname', 'ipv4_addr']),
  set('hairpin', ['ifname', 'ifname']),
  { ...set('m', ['ifname']), data: 'verdict' },
  { ...set('mw', ['ifname'], true), data: 'verdict' },
];

const REGULAR = ['c0', 'c1', 'c2', 'c3'];
const BASE: readonly { readonly name: string; readonly hooks: readonly Hook[] }[] = [
  {
    name: 'b0',
    hooks: [
      { type: 'filter', hook: 'forward', priority: -3, policy: 'accept' },
      { type: 'filter', hook: 'forward', priority: -3, policy: 'drop' },
      { type: 'filter', hook: 'input', priority: 5, policy: 'accept' },
    ],
  },
  { name: 'b1', hooks: [{ type: 'filter', hook: 'input', priority: 200, policy: 'accept' }] },
];

const ip4 = fc.integer({ min: 0, max: 5 }).map((n) => `10.244.0.${n * 7 + 1}` as Ip);
const ip6 = fc.integer({ min: 0, max: 5 }).map((n) => `fd00:10:244::${(n * 7 + 1).toString(16)}` as Ip);
const port = fc.constantFrom(53, 80, 443, 8080, 65535);
const protocol = fc.constantFrom('tcp', 'udp', 'sctp', 'icmp');
const ifName = fc.integer({ min: 0, max: 3 }).map((n) => `mgy0123456789${n}`);
/** Disjoint, because an interval set must be. */
const range4 = fc.constantFrom<readonly Scalar[]>(
  [{ from: '10.0.0.0' as Ip, to: '10.255.255.255' as Ip }],
  [{ from: '192.0.2.5' as Ip, to: '192.0.2.9' as Ip }],
  [{ from: '192.0.2.10' as Ip, to: '192.0.2.11' as Ip }],
  [{ from: '240.0.0.0' as Ip, to: '255.255.255.255' as Ip }],
  [{ from: '0.0.0.0' as Ip, to: '0.0.0.7' as Ip }],
  ['198.51.100.1' as Ip],
);
const range6 = fc.constantFrom<readonly Scalar[]>(
  [{ from: 'fd00::' as Ip, to: 'fd00::ffff' as Ip }],
  [{ from: 'fe80::' as Ip, to: 'febf:ffff:ffff:ffff:ffff:ffff:ffff:ffff' as Ip }],
  ['2001:db8::1' as Ip],
);

const KEYS: Readonly<Record<string, fc.Arbitrary<readonly Scalar[]>>> = {
  s4: ip4.map((ip) => [ip]),
  s6: ip6.map((ip) => [ip]),
  n4: range4,
  n6: range6,
  p4: fc.tuple(ip4, protocol, port),
  q: fc.constantFrom<readonly Scalar[]>(['tcp', { from: 8000, to: 8100 }], ['udp', 53], ['tcp', 443]),
  ep: fc.tuple(ifName, ip4),
  hairpin: ifName.map((name) => [name, name]),
  m: ifName.map((name) => [name]),
  mw: fc.constantFrom(['mgy*'], ['eth0'], ['cali*']),
};

export const rulesets: fc.Arbitrary<Ruleset> = fc
  .record({
    counters: fc.subarray([...COUNTERS]),
    sets: fc.subarray([...SETS]),
    chains: fc.subarray(REGULAR),
    bases: fc.subarray([...BASE]),
  })
  .chain(({ counters, sets, chains, bases }) => {
    const world: World = { counters, sets, chains };
    return fc
      .record({
        elements: fc.tuple(...sets.map((each) => elements(each, chains))),
        bodies: fc.tuple(...chains.map((_, i) => rules({ ...world, chains: chains.slice(i + 1) }, 'regular'))),
        hooks: fc.tuple(...bases.map(({ hooks }) => fc.constantFrom(...hooks))),
        baseBodies: fc.tuple(...bases.map(() => rules(world, 'base'))),
      })
      .map(({ elements: members, bodies, hooks, baseBodies }) => {
        const regular = chains.map((name, i): Chain => chain(name, bodies[i] ?? []));
        const base = bases.map(({ name }, i): Chain => {
          const hook = hooks[i];
          return hook === undefined ? chain(name, []) : { ...chain(name, baseBodies[i] ?? []), hook };
        });
        return rulesetOf([...counters, ...sets, ...members.flat(), ...regular, ...base]);
      });
  });

export const rulesetOf = (objects: readonly NftObject[]): Ruleset => ({
  table: TABLE,
  objects: new Map(objects.map((object) => [nftKey(object), object])),
});

const chain = (name: string, body: readonly Rule[]): Chain => ({ kind: 'chain', name: name as ChainName, rules: body });

/** What a rule may refer to. */
type World = {
  readonly counters: readonly Counter[];
  readonly sets: readonly NftSet[];
  readonly chains: readonly string[];
};

function elements(of: NftSet, chains: readonly string[]): fc.Arbitrary<readonly Element[]> {
  const key = KEYS[of.name] ?? fc.constant([]);
  const plain = key.map((scalars): Element => ({ kind: 'element', set: of.name, key: scalars }));
  const one =
    of.data === undefined ? plain : fc.tuple(plain, verdict(chains)).map(([e, v]): Element => ({ ...e, verdict: v }));
  return fc.uniqueArray(one, { maxLength: 5, selector: nftKey });
}

function verdict(chains: readonly string[]): fc.Arbitrary<Verdict> {
  const plain = fc.constantFrom<Verdict>({ kind: 'accept' }, { kind: 'drop' }, { kind: 'return' });
  if (chains.length === 0) return plain;
  const target = fc.tuple(fc.constantFrom('jump', 'goto'), fc.constantFrom(...chains));
  return fc.oneof(
    plain,
    target.map(([kind, name]): Verdict => ({ kind, chain: name as ChainName })),
  );
}

function rules(world: World, place: 'base' | 'regular'): fc.Arbitrary<readonly Rule[]> {
  const comment = fc.option(fc.constantFrom('default/web', 'a policy: x_1'), { nil: undefined });
  const rule = fc
    .tuple(fc.uniqueArray(condition(world, place), { maxLength: 3, selector: subject }), action(world), comment)
    .map(([conditions, actions, text]): Rule => {
      const statements = [...consistent(conditions), ...actions];
      return canonicalRule(text === undefined ? { statements } : { statements, comment: text });
    });
  return fc.array(rule, { maxLength: 4 });
}

const subject = (statement: Statement): string => JSON.stringify('left' in statement ? statement.left : statement.kind);

/**
 * nft(8) refuses fields of two protocols in a rule: what the statements before it say decides. And it leaves out matches
 * of a protocol that a field names as well, so that its text is of another rule.
 */
function consistent(conditions: readonly Statement[]): readonly Statement[] {
  const known = new Map<string, number | 'other'>();
  const layers = conditions.flatMap((statement) => protocolsOf(statement).map(([layer]) => layer));
  return conditions.filter((statement) => {
    const said = protocolsOf(statement);
    const [explicit] = Object.keys(provenBy(statement));
    if (explicit !== undefined && layers.filter((layer) => layer === explicit).length > 1) return false;
    if (said.some(([layer, value]) => (known.get(layer) ?? value) !== value)) return false;
    for (const [layer, value] of said) known.set(layer, value);
    return true;
  });
}

function protocolsOf(statement: Statement): readonly (readonly [string, number | 'other'])[] {
  if (statement.kind === 'lookup' || statement.kind === 'vmap') {
    return statement.key.flatMap(fieldProtocols);
  }
  if (statement.kind !== 'match') return [];
  const { left } = statement;
  if (left.kind === 'payload' || left.kind === 'ct-saddr') return fieldProtocols(left);
  if (left.kind !== 'meta' || (left.key !== 'l4proto' && left.key !== 'nfproto')) return [];
  const proven = Object.entries(provenBy(statement));
  return proven.length === 0 ? [[left.key, 'other']] : proven;
}

/** nft(8) calls the bytes of a port by another name when the protocol is known, such as `icmp checksum`. */
function fieldProtocols(operand: Operand): readonly (readonly [string, number | 'other'])[] {
  if (operand.kind === 'payload' && operand.field.startsWith('th ')) return [['l4proto', 'other']];
  // The kernel needs no match of the family before it, but nft(8) wants none of the other family.
  if (operand.kind === 'ct-saddr') return [['nfproto', operand.family === 4 ? NFPROTO.ipv4 : NFPROTO.ipv6]];
  return Object.entries(operandProtocols(operand));
}

const payload = (field: Extract<Operand, { kind: 'payload' }>['field']): Operand => ({ kind: 'payload', field });
const meta = (key: Extract<Operand, { kind: 'meta' }>['key']): Operand => ({ kind: 'meta', key });

function condition(world: World, place: 'base' | 'regular'): fc.Arbitrary<Statement> {
  const op = fc.constantFrom<'==' | '!='>('==', '!=');
  const match = (left: Operand, right: fc.Arbitrary<Scalar>): fc.Arbitrary<Statement> =>
    fc.oneof(
      fc.tuple(op, right).map(([o, r]): Statement => ({ kind: 'match', left, op: o, right: r })),
      fc
        .tuple(op, fc.uniqueArray(right, { minLength: 1, maxLength: 3, selector: (value) => JSON.stringify(value) }))
        .map(([o, values]): Statement => ({ kind: 'match', left, op: o, right: { anyOf: values } })),
    );
  const lookup = (key: readonly Operand[], name: string): fc.Arbitrary<Statement>[] =>
    world.sets.some((each) => each.name === name)
      ? [op.map((o): Statement => ({ kind: 'lookup', key, op: o === '==' ? 'in' : 'not in', set: name as SetName }))]
      : [];
  const vmap = (key: readonly Operand[], name: string): fc.Arbitrary<Statement>[] =>
    place === 'base' && world.sets.some((each) => each.name === name)
      ? [fc.constant<Statement>({ kind: 'vmap', key, map: name as SetName })]
      : [];
  const word = (...words: readonly string[]): fc.Arbitrary<string> => fc.constantFrom(...words);
  const ports = fc.oneof(port, fc.constant({ from: 1000, to: 2000 }));
  return fc.oneof(
    match({ kind: 'ct', key: 'state' }, word('new', 'established', 'related', 'invalid')),
    match({ kind: 'ct', key: 'direction' }, word('original', 'reply')).filter(
      (s) => !JSON.stringify(s).includes('anyOf'),
    ),
    match({ kind: 'ct', key: 'status' }, word('snat', 'dnat')),
    match({ kind: 'ct-saddr', direction: 'reply', family: 4 }, word('10.244.0.1', '10.244.0.2')),
    match({ kind: 'ct-saddr', direction: 'original', family: 6 }, word('fd00:10:244::1', '2001:db8::1')),
    match({ kind: 'ct-mark', mask: 0xffff }, fc.nat(5)),
    match({ kind: 'ct-mark', mask: 0xffff_0000 }, fc.constantFrom(0, 0x10_0000, 0xfff0_0000)),
    match({ kind: 'ct-mark', mask: 0xffffffff }, fc.nat(5)),
    match(meta('iifname'), fc.oneof(ifName, word('mgy*', 'eth0'))).filter(isDisjoint),
    match(meta('oifname'), ifName),
    match(meta('mark'), fc.nat(9)),
    match(meta('l4proto'), word('tcp', 'udp', 'icmp', 'ipv6-icmp', 'gre')),
    match(meta('nfproto'), word('ipv4', 'ipv6')),
    match(payload('ip saddr'), fc.oneof(ip4, fc.constant({ from: '10.96.0.0' as Ip, to: '10.96.255.255' as Ip }))),
    match(payload('ip daddr'), ip4),
    match(payload('ip6 saddr'), ip6),
    match(payload('tcp dport'), ports),
    match(payload('udp sport'), ports),
    match(payload('sctp dport'), ports),
    match(payload('th dport'), ports),
    match(payload('icmp type'), fc.constantFrom(0, 8, 77)),
    match(payload('icmpv6 type'), fc.constantFrom(128, 135, 136)),
    fc.constantFrom<Statement>(
      { kind: 'match', left: { kind: 'fib', result: 'oif', flags: ['saddr', 'iif'] }, op: '==', right: 'missing' },
      { kind: 'match', left: { kind: 'fib', result: 'type', flags: ['daddr'] }, op: '==', right: 'local' },
    ),
    ...lookup([payload('ip saddr')], 's4'),
    ...lookup([payload('ip6 daddr')], 's6'),
    ...lookup([payload('ip daddr')], 'n4'),
    ...lookup([payload('ip6 saddr')], 'n6'),
    ...lookup([payload('ip daddr'), meta('l4proto'), payload('th dport')], 'p4'),
    ...lookup([meta('l4proto'), payload('th dport')], 'q'),
    ...lookup([meta('iifname'), payload('ip saddr')], 'ep'),
    ...lookup([meta('iifname'), meta('oifname')], 'hairpin'),
    ...vmap([meta('iifname')], 'm'),
    ...vmap([meta('oifname')], 'mw'),
  );
}

/** A name inside a prefix of the same set overlaps it, which the kernel refuses. */
const isDisjoint = (statement: Statement): boolean => !/"mgy\*".*"mgy0|"mgy0.*"mgy\*"/.test(JSON.stringify(statement));

function action(world: World): fc.Arbitrary<readonly Statement[]> {
  const side = fc.oneof(
    fc.constantFrom<Statement>(
      { kind: 'counter' },
      { kind: 'log', prefix: 'margay: ', group: 3 },
      { kind: 'limit', rate: 10, per: 'second', burst: 5 },
      { kind: 'limit', rate: 3, per: 'minute', burst: 20 },
      { kind: 'set-ct-mark', mask: 0xffff, value: 0x12 },
      { kind: 'set-ct-mark', mask: 0xff, value: 0 },
      { kind: 'set-ct-mark', mask: 0xffff_0000, value: 0x8001_0000 },
      { kind: 'set-ct-mark', mask: 0xffffffff, value: 7 },
    ),
    ...world.counters.map(({ name }) => fc.constant<Statement>({ kind: 'counter-ref', counter: name })),
  );
  const last = verdict(world.chains).map((v): Statement => ({ kind: 'verdict', verdict: v }));
  return fc.tuple(fc.array(side, { maxLength: 2 }), last).map(([before, end]) => [...before, end]);
}
