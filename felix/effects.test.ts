// Batches that the kernel refuses, in a namespace of the test's own: the rules before them stand, one replacement is
// tried, and then it is said what is not there, until it is.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { parseResource } from '../datastore/resources/parse.ts';
import { openConntrack } from '../lib/linux/conntrack.ts';
import { inNetns } from '../lib/linux/netns.ts';
import { openRtnl } from '../lib/linux/rtnl.ts';
import { createLog } from '../lib/log.ts';
import { watchNftables } from '../lib/nftables/events.ts';
import { type Nftables, openNftables } from '../lib/nftables/nfnetlink.ts';
import type { NftOp } from '../lib/nftables/ops.ts';
import { unwrap } from '../lib/result.ts';
import { waitFor } from '../lib/wait-for.ts';
import { type TestNetns, testNetns } from '../test/support/netns.ts';
import { withoutOwnerName } from '../test/support/without-owner-name.ts';
import { createNftDriver } from './driver/nftables.ts';
import { createRouteDriver } from './driver/routes.ts';
import { createEffects, type Effects } from './effects.ts';
import { createEndpointWaiters } from './endpoint-waiters.ts';
import { createModel, type Model } from './model/model.ts';
import { FIRST_GENERATION } from './render/policy/generation.ts';
import { POLICY_TABLE } from './render/policy/names.ts';
import { createRevoker } from './revoker.ts';

type Node = {
  readonly netns: TestNetns;
  readonly model: Model;
  readonly effects: Effects;
  readonly pass: () => void;
  readonly nft: Nftables;
  /** Operations sent since the last call; each is one message, of a rule with an own set three. */
  readonly sent: () => readonly NftOp[];
  /** How often routes were written. */
  readonly routeWrites: () => number;
};

async function node(t: TestContext, tableOwner: 'auto' | 'off'): Promise<Node> {
  const netns = await testNetns(t);
  const sockets = inNetns(netns.path, () => ({ nft: openNftables(), rtnl: openRtnl(), conntrack: openConntrack() }));
  const sent: NftOp[] = [];
  const commit: Nftables['commit'] = (ops) => {
    sockets.nft.commit(ops);
    sent.push(...ops);
  };
  const routes = createRouteDriver(sockets.rtnl);
  let routeWrites = 0;
  const write: typeof routes.write = (...wanted) => {
    routeWrites++;
    return routes.write(...wanted);
  };
  const log = createLog('test');
  log.level = 'silent';
  const model = createModel({ node: 'node1', generation: FIRST_GENERATION });
  const revoker = createRevoker({
    conntrack: sockets.conntrack,
    world: () => ({ objects: model.nftObjects(), endpoints: [], blocks: [], localAddresses: new Set() }),
    generation: model.generation,
    log,
  });
  const effects = createEffects({
    model,
    nft: createNftDriver({ ...sockets.nft, commit }, POLICY_TABLE, tableOwner),
    routes: { ...routes, write },
    waiters: createEndpointWaiters(() => ''),
    revoker,
    log,
  });
  const abort = new AbortController();
  inNetns(netns.path, () =>
    watchNftables({
      table: POLICY_TABLE.name,
      portId: sockets.nft.portId,
      onChange: ({ touched }) => effects.verifySoon('nftables', touched),
      signal: abort.signal,
    }),
  );
  t.after(async () => {
    abort.abort();
    effects.close();
    await revoker.close();
    for (const socket of Object.values(sockets)) socket.close();
  });
  model.accept({ kind: 'in-sync', version: '1' });
  const pass = (): void => inNetns(netns.path, effects.pass);
  pass();
  assert.equal(effects.ready(), true);
  return { netns, model, effects, pass, nft: sockets.nft, sent: () => sent.splice(0), routeWrites: () => routeWrites };
}

const listing = async ({ netns }: Node): Promise<string> =>
  withoutOwnerName(await netns.exec('nft', 'list', 'table', 'inet', 'margay'));

/** An endpoint whose pod nobody knows: it brings elements of the dispatch, chains, and a route for each address. */
function attach({ model }: Node, pod = 1, ...ips: readonly string[]): void {
  const attachment = { handle: `h${pod}`, namespace: 'shop', pod: `web${pod}`, hostIfName: `mgy${pod}`, ips };
  model.accept({ kind: 'attached', attachment: attachment as never });
}

test('after a batch that is refused the whole table is replaced, at once', async (t) => {
  const made = await node(t, 'off');
  const generation = made.model.generation();
  const deed =
    'flush chain inet margay judge_input; flush chain inet margay judge_egress; delete map inet margay ep_eg';
  await made.netns.exec('nft', deed);
  attach(made);
  made.pass();
  assert.deepEqual(made.effects.failures(), []);
  assert.equal(made.effects.ready(), true);
  assert.match(await listing(made), /map ep_eg \{[^}]*"mgy1" : goto/);
  assert.notEqual(made.model.generation(), generation, 'what was marked meanwhile is judged again');
});

test('while nothing can be written, the old rules stand, and it is said which object is refused', async (t) => {
  const made = await node(t, 'off');
  const usurper = made.netns.spawn('nft', ['-i'], { stdio: ['pipe', 'ignore', 'ignore'] });
  // In one step: a table that is gone is soon made again.
  usurper.stdin?.write('delete table inet margay; add table inet margay { flags owner; }\n');
  await waitFor('the table to be taken', () =>
    listing(made).then(
      (text) => text.includes('owner'),
      () => false,
    ),
  );
  attach(made);
  made.pass();
  assert.equal(made.effects.ready(), false);
  assert.match(made.effects.failures().join(), /Cannot add table "margay": .*\(EPERM\)/);
  assert.doesNotMatch(await listing(made), /chain/);
  usurper.stdin?.end();
  await waitFor('the agent to try again', made.effects.ready, { timeoutMs: 20_000 });
  assert.deepEqual(made.effects.failures(), []);
  assert.match(await listing(made), /map ep_eg \{[^}]*"mgy1" : goto/);
});

test('one rule that is deleted costs some messages, however large the table is', async (t) => {
  const made = await node(t, 'off');
  for (let pod = 0; pod < 200; pod++) attach(made, pod);
  made.pass();
  const elements = made.sent().flatMap((op) => (op.kind === 'add-elements' ? op.elements : []));
  assert.ok(elements.length >= 200, `${elements.length} elements`);
  const generation = made.model.generation();
  const kernel = createNftDriver(made.nft, POLICY_TABLE, 'off');
  const rule = /chain fwd_ingress \{[^}]*?goto judge_ingress # handle (\d+)/s;
  const handle = rule.exec(await made.netns.exec('nft', '-a', 'list', 'table', 'inet', 'margay'))?.[1];
  const deeds = [
    `delete rule inet margay fwd_ingress handle ${handle}`,
    'insert rule inet margay judge_egress accept',
    'delete element inet margay ep_eg { "mgy7" }',
    'add chain inet margay foreign',
    'rename chain inet margay fwd_ingress elsewhere',
  ];
  for (const deed of deeds) {
    const repairs = made.effects.repairs().nftables;
    await made.netns.exec('nft', deed);
    await waitFor(deed, () => made.effects.repairs().nftables > repairs, { timeoutMs: 20_000 });
    assert.equal(kernel.holds(made.model.nftObjects()), true, deed);
    const { length } = made.sent();
    assert.ok(length > 0 && length < 50, `${deed}: ${length} messages`);
  }
  assert.equal(made.model.generation(), generation + deeds.length, 'what slipped through is judged again');
});

test('what changes nothing writes nothing', async (t) => {
  const made = await node(t, 'auto');
  const before = await listing(made);
  const raw = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } };
  made.model.accept({
    kind: 'resource',
    version: '2',
    change: { key: 'Namespace/shop' as never, value: unwrap(parseResource(raw)) },
  });
  made.pass();
  assert.equal(await listing(made), before);
});

test('a route that cannot be written is tried again soon, however much else is written meanwhile', async (t) => {
  const made = await node(t, 'off');
  const link = async (name: string): Promise<void> => {
    await made.netns.exec('ip', 'link', 'add', name, 'type', 'veth', 'peer', 'name', `${name}p`);
    for (const end of [name, `${name}p`]) await made.netns.exec('ip', 'link', 'set', end, 'up');
  };
  await link('mgy2');
  attach(made, 1, '10.244.1.1');
  made.pass();
  assert.match(made.effects.failures().join(), /Cannot write route "10\.244\.1\.1\/32"/);
  for (let round = 0; round < 20; round++) {
    attach(made, 2, `10.244.1.${100 + round}`);
    made.pass();
  }
  const written = made.routeWrites();
  await waitFor('the second attempt, which fails as well', () => made.routeWrites() > written);
  await link('mgy1');
  await waitFor('the route', () => made.effects.failures().length === 0, { timeoutMs: 20_000 });
  assert.match(await made.netns.exec('ip', 'route'), /^10\.244\.1\.1 dev mgy1 /m);
});
