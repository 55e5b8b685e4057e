// The binding against the real kernel, with the nft program as the second opinion.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { type TestNetns, testNetns } from '../../test/support/netns.ts';
import type { Ip } from '../ip.ts';
import { inNetns } from '../linux/netns.ts';
import type { ChainName, Element, NftObject, NftSet, Operand, Ruleset, SetName, Statement, TableName } from './ast.ts';
import { diffObjects } from './diff.ts';
import { type Nftables, openNftables } from './nfnetlink.ts';
import { NftError } from './nft-error.ts';
import type { NftOp } from './ops.ts';
import { planChanges, planReplacement } from './plan.ts';
import { printRuleset } from './print.ts';
import { rulesetOf, rulesets, TABLE } from './testing/arbitrary.ts';
import { normaliseListing } from './testing/normalise.ts';
import type { Parts } from './touched.ts';

type Bench = {
  readonly ns: TestNetns;
  readonly nft: Nftables;
  readonly list: () => Promise<string>;
  readonly load: (text: string) => Promise<string>;
};

async function bench(t: TestContext): Promise<Bench> {
  const ns = await testNetns(t, 'nft');
  const directory = mkdtempSync(join(tmpdir(), 'margay-nft-'));
  const nft = inNetns(ns.path, openNftables);
  t.after(() => {
    nft.close();
    rmSync(directory, { recursive: true });
  });
  return {
    ns,
    nft,
    list: () => ns.exec('nft', 'list', 'table', 'inet', TABLE.name),
    load: (text) => {
      const file = join(directory, 'ruleset.nft');
      writeFileSync(file, text);
      return ns.exec('nft', '-f', file);
    },
  };
}

const sortedObjects = (ruleset: Ruleset | undefined): readonly (readonly [string, NftObject])[] =>
  [...(ruleset?.objects ?? [])].sort(([a], [b]) => (a < b ? -1 : 1));

/** All its chains and sets, and one of each that is not there. */
const partsOf = ({ objects }: Ruleset): Parts => ({
  chains: new Set([...objects.values()].flatMap((object) => (object.kind === 'chain' ? object.name : []))).add(
    'none' as ChainName,
  ),
  sets: new Set([...objects.values()].flatMap((object) => (object.kind === 'set' ? object.name : []))).add(
    'none' as SetName,
  ),
});

const REMOVE: readonly NftOp[] = [
  { kind: 'add-table', table: TABLE },
  { kind: 'delete-table', table: TABLE },
];

const IIF: Operand = { kind: 'meta', key: 'iifname' };
const FROM_POD: Statement = { kind: 'match', left: IIF, op: '==', right: 'mgy*' };
const SOURCE: Operand = { kind: 'payload', field: 'ip6 saddr' };

/** Lookups that use what the comparison before them loaded. */
const REUSING: Ruleset = rulesetOf([
  { kind: 'set', name: 'ep' as SetName, keyTypes: ['ifname', 'ipv6_addr'], interval: false },
  { kind: 'set', name: 'm' as SetName, keyTypes: ['ifname'], interval: false, data: 'verdict' },
  {
    kind: 'chain',
    name: 'c' as ChainName,
    rules: [
      { statements: [FROM_POD, { kind: 'lookup', key: [IIF, SOURCE], op: 'not in', set: 'ep' as SetName }] },
      { statements: [FROM_POD, { kind: 'vmap', key: [IIF], map: 'm' as SetName }] },
    ],
  },
]);

test('commit() makes what printRuleset() prints, and nft -f of it makes what dump() reads', async (t) => {
  const { nft, list, load } = await bench(t);
  await fc.assert(
    fc.asyncProperty(rulesets, async (ruleset) => {
      nft.commit(planReplacement(ruleset));
      const printed = printRuleset(ruleset);
      assert.deepEqual(normaliseListing(await list()), normaliseListing(printed));
      assert.deepEqual(sortedObjects(nft.dump(TABLE.name)), sortedObjects(ruleset));
      nft.commit(REMOVE);
      await load(printed);
      assert.deepEqual(sortedObjects(nft.dump(TABLE.name)), sortedObjects(ruleset));
      assert.deepEqual(
        sortedObjects(nft.dumpParts(TABLE.name, partsOf(ruleset))),
        sortedObjects(ruleset).filter(([, { kind }]) => kind !== 'counter'),
      );
    }),
    { numRuns: 40, examples: [[REUSING]] },
  );
});

test('planChanges() leads from any ruleset to any other in one batch that the kernel takes', async (t) => {
  const { nft } = await bench(t);
  fc.assert(
    fc.property(fc.array(rulesets, { minLength: 2, maxLength: 6 }), (history) => {
      let state = rulesetOf([]);
      nft.commit(planReplacement(state));
      for (const next of history) {
        nft.commit(planChanges(TABLE, diffObjects(state.objects, next.objects)));
        assert.deepEqual(sortedObjects(nft.dump(TABLE.name)), sortedObjects(next));
        state = next;
      }
    }),
    { numRuns: 60 },
  );
});

const ADDRESSES: NftSet = { kind: 'set', name: 's4' as SetName, keyTypes: ['ipv4_addr'], interval: false };
const address = (ip: string): Element => ({ kind: 'element', set: ADDRESSES.name, key: [ip as Ip] });

test('a refused batch changes nothing and names the operation and element', async (t) => {
  const { nft } = await bench(t);
  const held = rulesetOf([ADDRESSES, address('10.244.0.1')]);
  nft.commit(planReplacement(held));
  const ops: readonly NftOp[] = [
    { kind: 'add-elements', table: TABLE.name, set: ADDRESSES.name, elements: [address('10.244.0.2')] },
    {
      kind: 'delete-elements',
      table: TABLE.name,
      set: ADDRESSES.name,
      elements: [address('10.244.0.1'), address('10.244.0.9')],
    },
  ];
  assert.throws(
    () => nft.commit(ops),
    (error) => {
      assert.ok(error instanceof NftError);
      assert.equal(error.code, 'ENOENT');
      assert.match(error.message, /^Cannot delete elements of set "s4" of table "margay-test": /);
      assert.deepEqual(error.nftOp, { ...ops[1], elements: [address('10.244.0.9')] });
      return true;
    },
  );
  assert.deepEqual(sortedObjects(nft.dump(TABLE.name)), sortedObjects(held));
});

test('a batch refused at its commit says so', async (t) => {
  const { nft } = await bench(t);
  const [a, b] = ['a' as ChainName, 'b' as ChainName];
  const to = (chain: ChainName): Element['verdict'] => ({ kind: 'jump', chain });
  const loop = rulesetOf([
    {
      kind: 'chain',
      name: 'base' as ChainName,
      hook: { type: 'filter', hook: 'input', priority: 0, policy: 'accept' },
      rules: [{ statements: [{ kind: 'verdict', verdict: { kind: 'jump', chain: a } }] }],
    },
    { kind: 'chain', name: a, rules: [{ statements: [{ kind: 'verdict', verdict: to(b) ?? { kind: 'drop' } }] }] },
    { kind: 'chain', name: b, rules: [{ statements: [{ kind: 'verdict', verdict: to(a) ?? { kind: 'drop' } }] }] },
  ]);
  assert.throws(() => nft.commit(planReplacement(loop)), { name: 'NftError', code: /ELOOP|EMLINK/ });
  assert.equal(nft.dump(TABLE.name), undefined);
});

test('an element of a verdict map is replaced in one batch', async (t) => {
  const { nft } = await bench(t);
  const map: NftSet = { ...ADDRESSES, name: 'm' as SetName, keyTypes: ['ifname'], data: 'verdict' };
  const element = (kind: 'accept' | 'drop'): Element => ({
    kind: 'element',
    set: map.name,
    key: ['mgy01234567890'],
    verdict: { kind },
  });
  const [before, after] = [rulesetOf([map, element('accept')]), rulesetOf([map, element('drop')])];
  nft.commit(planReplacement(before));
  nft.commit(planChanges(TABLE, diffObjects(before.objects, after.objects)));
  assert.deepEqual(sortedObjects(nft.dump(TABLE.name)), sortedObjects(after));
});

test('sets older than the socket are looked up, one hundred thousand elements fit in a batch', async (t) => {
  const { ns, nft } = await bench(t);
  const many = Array.from({ length: 100_000 }, (_, i) => address(`10.${i >> 16}.${(i >> 8) & 255}.${i & 255}`));
  let started = performance.now();
  nft.commit(planReplacement(rulesetOf([ADDRESSES, ...many])));
  t.diagnostic(`100000 elements: ${(performance.now() - started).toFixed(0)} ms`);
  const other = inNetns(ns.path, openNftables);
  t.after(other.close);
  const rounds = 2000;
  started = performance.now();
  for (let i = 0; i < rounds; i++) {
    const element = address(`172.16.${i >> 8}.${i & 255}`);
    const op = { table: TABLE.name, set: ADDRESSES.name, elements: [element] };
    other.commit([{ kind: 'add-elements', ...op }]);
    other.commit([{ kind: 'delete-elements', ...op }]);
  }
  t.diagnostic(`one element: ${(((performance.now() - started) / rounds / 2) * 1000).toFixed(1)} us`);
  assert.equal(nft.dump(TABLE.name)?.objects.size, many.length + 1);
});

test('a dump is whole while the kernel makes the table of a set larger, just after a commit', async (t) => {
  const { nft } = await bench(t);
  for (let round = 1; round <= 12; round++) {
    const many = Array.from({ length: 20_000 + round * 1_000 }, (_, i) => address(`10.0.${i >> 8}.${i & 255}`));
    nft.commit(planReplacement(rulesetOf([ADDRESSES, ...many])));
    assert.equal(nft.dump(TABLE.name)?.objects.size, many.length + 1);
    const parts = { chains: new Set<ChainName>(), sets: new Set([ADDRESSES.name]) };
    assert.equal(nft.dumpParts(TABLE.name, parts)?.objects.size, many.length + 1);
  }
});

test('generation() counts commits, counters() reads named counters, absent tables are absent', async (t) => {
  const { ns, nft } = await bench(t);
  assert.equal(nft.dump(TABLE.name), undefined);
  assert.equal(nft.counters(TABLE.name).size, 0);
  await ns.exec('nft', 'add table inet margay-test { counter n0 { packets 3 bytes 40 ; } ; }');
  const before = nft.generation();
  assert.deepEqual([...nft.counters(TABLE.name)], [['n0', { packets: 3n, bytes: 40n }]]);
  nft.commit(REMOVE);
  assert.equal(nft.generation(), before + 1);
});

test('dump() names what it does not know, and leaves out nothing', async (t) => {
  const { nft, load } = await bench(t);
  await load(
    `table inet ${TABLE.name} {
    quota big { over 1 mbytes
    }
    set dyn { type ipv4_addr; size 10; flags dynamic,timeout; timeout 1m; }
    set marks { type mark; }
    chain c {
      ip saddr 10.0.0.0/8 tcp flags syn accept
      ip ttl 3 counter packets 7 bytes 8 drop
      meta mark set 5
    }
  }`.replace(/.*queue.*\n/, ''),
  );
  const objects = sortedObjects(nft.dump(TABLE.name));
  assert.deepEqual(
    objects.map(([key]) => key),
    ['chain/c', 'unknown/big', 'unknown/dyn', 'unknown/marks'],
  );
  const chain = objects[0]?.[1];
  assert.ok(chain?.kind === 'chain');
  for (const rule of chain.rules) assert.ok(rule.statements.some(({ kind }) => kind === 'unknown'));
  assert.throws(() => nft.commit(planReplacement({ table: TABLE, objects: new Map([['x' as never, chain]]) })), {
    message: /is from a dump/,
  });
  assert.equal(nft.dump('absent' as TableName), undefined);
});
