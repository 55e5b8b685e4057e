import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type TestNetns, testNetns } from '../../test/support/netns.ts';
import { inNetns } from '../linux/netns.ts';
import { waitFor } from '../wait-for.ts';
import type { ChainName, SetName } from './ast.ts';
import { type NftEvent, watchNftables } from './events.ts';
import { type Nftables, openNftables } from './nfnetlink.ts';
import { planReplacement } from './plan.ts';
import { rulesetOf, TABLE } from './testing/arbitrary.ts';
import { ALL_TOUCHED, type Touched } from './touched.ts';

async function bench(
  t: TestContext,
  receiveBytes?: number,
): Promise<{ ns: TestNetns; nft: Nftables; events: NftEvent[] }> {
  const ns = await testNetns(t, 'ev');
  const nft = inNetns(ns.path, openNftables);
  t.after(nft.close);
  const abort = new AbortController();
  t.after(() => abort.abort());
  const events: NftEvent[] = [];
  inNetns(ns.path, () =>
    watchNftables({
      table: TABLE.name,
      portId: nft.portId,
      onChange: (event) => events.push(event),
      signal: abort.signal,
      ...(receiveBytes === undefined ? {} : { receiveBytes }),
    }),
  );
  return { ns, nft, events };
}

const SET = { kind: 'set', name: 's4' as SetName, keyTypes: ['ipv4_addr'], interval: false } as const;

test('watchNftables() hears another process touch our table, not ourselves and not other tables', async (t) => {
  const { ns, nft, events } = await bench(t);
  nft.commit(planReplacement(rulesetOf([SET])));
  await ns.exec('nft', 'add', 'table', 'inet', 'other');
  await ns.exec('nft', 'add', 'chain', 'inet', 'other', 'c');
  assert.deepEqual(events, []);
  await ns.exec('nft', 'add', 'element', 'inet', TABLE.name, 's4', '{ 10.0.0.1 }');
  await waitFor('the foreign change', () => events.length > 0, { timeoutMs: 20_000 });
  const parts = { kind: 'parts', chains: new Set(), sets: new Set(['s4']) };
  assert.deepEqual(events, [{ kind: 'foreign', touched: parts }]);
  await ns.exec('nft', 'delete', 'table', 'inet', TABLE.name);
  await waitFor('the foreign deletion', () => events.length > 1, { timeoutMs: 20_000 });
});

test('watchNftables() names the chains of rules and the sets of elements, and nothing less than what was touched', async (t) => {
  const { ns, nft, events } = await bench(t);
  nft.commit(planReplacement(rulesetOf([SET])));
  const of = `inet ${TABLE.name}`;
  const parts = (chains: readonly string[], sets: readonly string[]): Touched => ({
    kind: 'parts',
    chains: new Set(chains.map((name) => name as ChainName)),
    sets: new Set(sets.map((name) => name as SetName)),
  });
  const deeds: readonly (readonly [text: string, touched: Touched])[] = [
    [`add chain ${of} c; add chain ${of} d`, ALL_TOUCHED],
    [`add rule ${of} c tcp dport { 80, 443 } accept; add rule ${of} d accept`, parts(['c', 'd'], [])],
    [`add rule ${of} c accept; add element ${of} s4 { 10.0.0.1 }`, parts(['c'], ['s4'])],
    [`flush chain ${of} c`, parts(['c'], [])],
    [`flush set ${of} s4`, parts([], ['s4'])],
    // Its old name is in no message.
    [`rename chain ${of} c e`, ALL_TOUCHED],
    [`add counter ${of} n; add rule ${of} d accept`, ALL_TOUCHED],
    [`add set ${of} __set7 { type ipv4_addr; }`, ALL_TOUCHED],
    [`delete set ${of} s4`, ALL_TOUCHED],
    [`delete table ${of}`, ALL_TOUCHED],
  ];
  for (const [text, touched] of deeds) {
    events.length = 0;
    await ns.exec('nft', text);
    await waitFor(text, () => events.length > 0, { timeoutMs: 20_000 });
    assert.deepEqual(events, [{ kind: 'foreign', touched }], text);
  }
});

test('watchNftables() reports lost messages and goes on', async (t) => {
  const { ns, nft, events } = await bench(t, 4096);
  // The loop does not turn during commits, so that more is announced than the socket holds.
  for (let round = 0; round < 200; round++) nft.commit(planReplacement(rulesetOf([SET])));
  await waitFor('the overrun', () => events.some(({ kind }) => kind === 'overrun'), { timeoutMs: 20_000 });
  events.length = 0;
  await ns.exec('nft', 'delete', 'table', 'inet', TABLE.name);
  await waitFor('the foreign deletion', () => events.some(({ kind }) => kind === 'foreign'), { timeoutMs: 20_000 });
});
