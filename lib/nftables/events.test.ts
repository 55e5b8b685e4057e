import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type TestNetns, testNetns } from '../../test/support/netns.ts';
import { inNetns } from '../linux/netns.ts';
import { waitFor } from '../wait-for.ts';
import type { SetName } from './ast.ts';
import { type NftEvent, watchNftables } from './events.ts';
import { type Nftables, openNftables } from './nfnetlink.ts';
import { planReplacement } from './plan.ts';
import { rulesetOf, TABLE } from './testing/arbitrary.ts';

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

test('watchNftables() reports lost messages and goes on', async (t) => {
  const { ns, nft, events } = await bench(t, 4096);
  // The loop does not turn during commits, so that more is announced than the socket holds.
  for (let round = 0; round < 200; round++) nft.commit(planReplacement(rulesetOf([SET])));
  await waitFor('the overrun', () => events.some(({ kind }) => kind === 'overrun'), { timeoutMs: 20_000 });
  events.length = 0;
  await ns.exec('nft', 'delete', 'table', 'inet', TABLE.name);
  await waitFor('the foreign deletion', () => events.some(({ kind }) => kind === 'foreign'), { timeoutMs: 20_000 });
});
