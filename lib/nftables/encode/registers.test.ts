// What stands in which register when it is used: the expressions of a rule are run over registers that hold names instead
// of values. A lookup must find the fields of its key side by side, and a field of a protocol is loaded only behind the
// match of that protocol.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Operand, Rule, Scalar, SetName, Statement } from '../ast.ts';
import type { Expression, Load } from '../expressions.ts';
import { META_KEYS, operandLoad, operandProtocols, operandType } from '../operands.ts';
import { canonicalRule } from '../print-rule.ts';
import { VALUE_TYPES } from '../value-types.ts';
import { REG32_00, ruleExpressions } from './rule.ts';

const meta = (key: Extract<Operand, { kind: 'meta' }>['key']): Operand => ({ kind: 'meta', key });
const payload = (field: Extract<Operand, { kind: 'payload' }>['field']): Operand => ({ kind: 'payload', field });
const [iif, oif, l4, nf, mark] = [meta('iifname'), meta('oifname'), meta('l4proto'), meta('nfproto'), meta('mark')];
const [saddr, saddr6, dport, any] = [
  payload('ip saddr'),
  payload('ip6 saddr'),
  payload('tcp dport'),
  payload('th dport'),
];

const VALUES: readonly (readonly [Operand, readonly Scalar[]])[] = [
  [iif, ['mgy*', 'eth0']],
  [oif, ['mgy*', 'eth0']],
  [l4, ['tcp', 'udp', 'ipv6-icmp']],
  [nf, ['ipv4', 'ipv6']],
  [mark, [1, 2]],
  [saddr, ['10.244.0.1' as never]],
  [dport, [80, 443]],
  [{ kind: 'ct-mark', mask: 0xffff_0000 }, [0x1_0000]],
  [{ kind: 'ct', key: 'state' }, ['established', 'new']],
];
const KEYS: readonly (readonly Operand[])[] = [
  ...[[iif], [oif], [mark], [l4], [saddr], [saddr6], [any], [iif, saddr], [iif, saddr6], [iif, oif], [oif, iif]],
  ...[
    [oif, saddr6, dport],
    [l4, any],
    [l4, dport],
    [nf, saddr],
    [nf, saddr6, l4, any],
    [saddr, iif],
    [mark, iif, saddr],
  ],
  ...[
    [iif, iif],
    [l4, l4],
    [iif, payload('icmpv6 type')],
  ],
];

const matches = fc.constantFrom(...VALUES).chain(([left, values]): fc.Arbitrary<Statement> => {
  const op = fc.constantFrom<'==' | '!='>('==', '!=');
  const right = fc.oneof(fc.constantFrom(...values), fc.constant({ anyOf: values }));
  return fc.record({ kind: fc.constant('match'), left: fc.constant(left), op, right });
});
const lookups = fc.constantFrom(...KEYS).chain((key): fc.Arbitrary<Statement> => {
  const op = fc.constantFrom<'in' | 'not in'>('in', 'not in');
  return fc.oneof(
    op.map((one): Statement => ({ kind: 'lookup', key, op: one, set: 's' as SetName })),
    fc.constant<Statement>({ kind: 'vmap', key, map: 'm' as SetName }),
  );
});
const marking = fc.constant<Statement>({ kind: 'set-ct-mark', mask: 0xffff, value: 1 });
const rules = fc
  .array(fc.oneof({ weight: 3, arbitrary: matches }, { weight: 3, arbitrary: lookups }, marking), { maxLength: 6 })
  .map((statements): Rule => ({ statements }));

/** The words that a lookup reads, in order, for each lookup in a named set. */
function lookedUp(expressions: readonly Expression[], widths: readonly number[]): readonly (readonly string[])[] {
  const words: string[] = [];
  const known = new Map<string, number>();
  const seen: string[][] = [];
  const wordOf = (register: number): number => (register >= REG32_00 ? register - REG32_00 : (register - 1) * 4);
  for (const e of expressions) {
    if (isLoad(e)) {
      const [name, length] = nameOf(e, known);
      for (let word = 0; word * 4 < length; word++) words[wordOf(e.dreg) + word] = `${name} ${word}`;
    } else if (e.kind === 'bitwise') {
      words[wordOf(e.dreg)] = `masked ${words[wordOf(e.sreg)]}`;
    } else if (e.kind === 'cmp' && e.op === '==' && e.data.length === 1) {
      const [protocol] = words[wordOf(e.sreg)]?.split(' ').slice(1) ?? [];
      known.set(protocol ?? '', e.data[0] ?? 0);
    } else if (e.kind === 'lookup' && typeof e.set === 'string') {
      const first = wordOf(e.sreg);
      seen.push(words.slice(first, first + (widths[seen.length] ?? 0)));
    }
  }
  return seen;
}

const isLoad = (e: Expression): e is Load =>
  e.kind === 'meta' || e.kind === 'ct' || e.kind === 'payload' || e.kind === 'fib';

function nameOf(load: Load, known: ReadonlyMap<string, number>): readonly [name: string, bytes: number] {
  if (load.kind === 'ct') return [`ct ${load.key}`, 4];
  if (load.kind === 'fib') return ['fib', 4];
  if (load.kind === 'meta') {
    const key = Object.entries(META_KEYS).find(([, { key }]) => key === load.key);
    const [word, { type }] = key ?? assert.fail();
    return [`meta ${word}`, VALUE_TYPES[type].bytes];
  }
  const { base, offset, length } = load;
  return [
    `payload ${base}/${offset}/${length} of ${known.get('nfproto') ?? '-'}/${known.get('l4proto') ?? '-'}`,
    length,
  ];
}

/** How the words of a key begin; of a field of a protocol only what is sure to be known is compared. */
function expectedWords(key: readonly Operand[]): readonly RegExp[] {
  return key.flatMap((operand) => {
    const { nfproto, l4proto } = operandProtocols(operand);
    const load = operandLoad(operand, 1);
    const [name] = nameOf(load, new Map());
    const protocols = `${nfproto ?? '(-|\\d+)'}/${l4proto ?? '(-|\\d+)'}`;
    const text = name.replace('-/-', protocols);
    const count = (VALUE_TYPES[operandType(operand)].bytes + 3) >> 2;
    return Array.from({ length: count }, (_, word) => new RegExp(`^${text} ${word}$`));
  });
}

test('a lookup finds its key in the registers, whatever stands before it, and so does what a dump says of the rule', () => {
  fc.assert(
    fc.property(rules, (rule) => {
      const keys = rule.statements.flatMap((one) => (one.kind === 'lookup' || one.kind === 'vmap' ? [one.key] : []));
      const wanted = keys.map(expectedWords);
      const canonical = canonicalRule(rule);
      for (const one of [rule, canonical]) {
        const widths = wanted.map(({ length }) => length);
        const seen = lookedUp(ruleExpressions(one), widths);
        assert.equal(seen.length, wanted.length);
        for (const [at, words] of wanted.entries()) {
          for (const [index, word] of words.entries()) assert.match(seen[at]?.[index] ?? 'nothing', word);
        }
      }
      assert.deepEqual(canonicalRule(canonical), canonical);
    }),
    { numRuns: 2000 },
  );
});
