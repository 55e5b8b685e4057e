// Other hands on our table. Where it is shared, whatever they do is seen by event and put right; where it is owned, they
// cannot. Other tables are never touched.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode, type TestPod } from '../support/agent-node.ts';
import { startFlowEnd } from '../support/flow-end.ts';
import { content, isolate, NAMESPACE, pings, policy, reaches, table } from './world.ts';

type World = { readonly node: AgentNode; readonly web: TestPod; readonly db: TestPod };

/** `db` may be reached by nobody but `web`; the table has rules, sets, maps and elements. */
async function world(t: TestContext, configuration?: Record<string, unknown>): Promise<World> {
  const node = await agentNode(t, configuration);
  await node.create(NAMESPACE);
  await node.create(
    policy('db', {
      podSelector: { matchLabels: { app: 'db' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }],
    }),
  );
  await node.create(isolate('other', { app: 'other' }));
  await node.start();
  const web = await node.addPod('shop', 'web', { app: 'web' });
  const db = await node.addPod('shop', 'db', { app: 'db' });
  // An ADD does not wait for ever until the agent has heard of the Pod; from now on the table stays as it is.
  await waitFor('policy to know both', () => pings(web.netns, db.ip));
  await node.netns.exec('nft', 'add table inet foreign; add set inet foreign s { type ipv4_addr; }');
  return { node, web, db };
}

const nft = ({ netns }: AgentNode, text: string): Promise<string> => netns.exec('nft', text);

/** The first name of a kind in the listing that a pattern finds. */
function find(listing: string, pattern: RegExp): string {
  const found = pattern.exec(listing)?.[1];
  assert.ok(found !== undefined, `${pattern} in\n${listing}`);
  return found;
}

/** Somebody does it, and the table is as it was; tells how long that took. */
async function repaired(t: TestContext, node: AgentNode, what: string, deed: () => Promise<unknown>): Promise<void> {
  const before = await content(node);
  await deed();
  const began = performance.now();
  await waitFor(`the repair of ${what}`, async () => (await content(node).catch(() => '')) === before, {
    timeoutMs: 60_000,
  });
  t.diagnostic(`${what}: put right within ${(performance.now() - began).toFixed(0)} ms`);
}

test('in a shared table, whatever others do is put right', async (t) => {
  const { node, web, db } = await world(t, { tableOwner: 'off' });
  await startFlowEnd(db.netns, 'udp-serve', 5353);
  const stream = await startFlowEnd(web.netns, 'udp-ask', db.ip, 5353, 1);
  await stream.flows();
  assert.equal((await node.status())['table'], 'shared');
  const listing = await table(node);
  const rule = find(listing, /chain fwd_ingress \{[^}]*?goto judge_ingress # handle (\d+)/s);
  const set = find(listing, /set (s4_\w+) \{[^}]*elements/s);
  const chain = find(listing, /\tchain (pi_\w+) \{/);

  await repaired(t, node, 'a rule that is deleted', () =>
    nft(node, `delete rule inet margay fwd_ingress handle ${rule}`),
  );
  await repaired(t, node, 'an element that is deleted', () => nft(node, `flush set inet margay ${set}`));
  await repaired(t, node, 'an element that is added', () =>
    nft(node, `add element inet margay ${set} { 203.0.113.9 }`),
  );
  await repaired(t, node, 'a rule that is inserted', () => nft(node, `insert rule inet margay ${chain} accept`));
  await repaired(t, node, 'an object that is added', () => nft(node, 'add counter inet margay c'));
  await repaired(t, node, 'a chain that is flushed', () => nft(node, 'flush chain inet margay fwd_egress'));
  await repaired(t, node, 'a table that is deleted', () => nft(node, 'delete table inet margay'));
  assert.match(await node.netns.exec('nft', 'list', 'tables'), /inet foreign/, 'other tables are not touched');
  await repaired(t, node, 'a ruleset that is flushed', () => nft(node, 'flush ruleset'));
  assert.doesNotMatch(await node.netns.exec('nft', 'list', 'tables'), /inet foreign/, 'nor made again');
  await stream.flows();
  assert.equal(stream.report().missing, 0, 'an allowed flow noticed nothing');
});

test('flows that slipped through while the rules were gone do not stay', async (t) => {
  const { node, web, db } = await world(t, { tableOwner: 'off' });
  const server = await startFlowEnd(web.netns, 'udp-serve', 5353);
  await startFlowEnd(db.netns, 'udp-send', web.ip, 5353, 1);
  await server.flows();
  await node.create(isolate('db-too', { app: 'web' }));
  await server.stops();
  const { seen } = server.report();
  await nft(node, 'insert rule inet margay fwd_egress accept; insert rule inet margay fwd_ingress accept');
  await waitFor('the rules to be back', async () => !/fwd_egress \{[^}]*?\n\t\taccept/s.test(await table(node)));
  await server.stops();
  t.diagnostic(`${server.report().seen - seen} packets while somebody else's rule was there`);
  const flows = (): Promise<string> => node.netns.exec('conntrack', '-L', '--orig-dst', web.ip);
  await waitFor('the flows to be forgotten', async () => !/sport/.test(await flows()));
});

test('nobody gets the upper hand by undoing each repair, and nobody keeps the agent busy', async (t) => {
  const { node, web, db } = await world(t, { tableOwner: 'off' });
  const generation = async (): Promise<number> => Number((await node.status())['generation']);
  const wanted = await content(node);
  const [before, began] = [await generation(), performance.now()];
  const adversary = node.netns.spawn('sh', ['-c', 'while :; do nft delete table inet margay; done'], {
    stdio: 'ignore',
  });
  const repairs = async (): Promise<number> => (await generation()) - before;
  await waitFor('repairs', async () => (await repairs()) >= 15, { timeoutMs: 60_000 });
  const [found, seconds] = [await repairs(), (performance.now() - began) / 1000];
  assert.ok(found <= 10 + seconds + 1, `ten at once and then one a second, not ${found} in ${seconds} s`);
  adversary.kill('SIGKILL');
  await waitFor('the table to stay', async () => (await content(node).catch(() => '')) === wanted, {
    timeoutMs: 60_000,
  });
  assert.equal(await reaches(web.netns, db.ip), true);
});

test('an owned table is closed to others, and outlives its owner without a gap', async (t) => {
  const { node, web, db } = await world(t);
  assert.equal((await node.status())['table'], 'own');
  const before = await table(node);
  for (const deed of ['delete table inet margay', 'flush chain inet margay fwd_egress', 'add counter inet margay c']) {
    await assert.rejects(nft(node, deed), /Operation not permitted/, deed);
  }
  await nft(node, 'flush ruleset');
  assert.equal(await table(node), before);
  assert.doesNotMatch(await node.netns.exec('nft', 'list', 'tables'), /inet foreign/, 'the flush worked');

  const server = await startFlowEnd(db.netns, 'udp-serve', 5353);
  await startFlowEnd(web.netns, 'udp-send', db.ip, 5353, 1);
  await server.flows();
  await node.kill();
  const withoutOwner = (listing: string): string => listing.replace(/\tflags .*\n/g, '');
  assert.equal(withoutOwner(await table(node)), withoutOwner(before));
  await node.start();
  assert.equal(await table(node), before, 'taken over as it is');
  await server.flows();
  assert.equal(server.report().missing, 0);
});

test('what was changed while nobody owned the table is put right at the start', async (t) => {
  const { node, web, db } = await world(t);
  const before = await content(node);
  await node.kill();
  await nft(node, 'insert rule inet margay fwd_ingress drop');
  assert.equal(await pings(web.netns, db.ip), false);
  await node.start();
  assert.equal(await content(node), before);
  assert.equal(await reaches(web.netns, db.ip), true);
});

test('the table changes between owned and shared with the configuration', async (t) => {
  const { node } = await world(t, { tableOwner: 'off' });
  const shared = await content(node);
  await node.kill();
  node.configure({ tableOwner: 'auto' });
  await node.start();
  await assert.rejects(nft(node, 'add counter inet margay c'), /Operation not permitted/);
  await node.kill();
  node.configure({ tableOwner: 'off' });
  await node.start();
  assert.equal(await content(node), shared);
});

test('a table that cannot be written: not ready, a status that names it, and a recovery', async (t) => {
  const { node, web, db } = await world(t);
  await node.kill();
  await nft(node, 'delete table inet margay');
  const usurper = node.netns.spawn('nft', ['-i'], { stdio: ['pipe', 'ignore', 'ignore'] });
  usurper.stdin?.write('add table inet margay { flags owner; }\n');
  await waitFor('the table to be taken', () =>
    table(node)
      .then((text) => text.includes('owner'))
      .catch(() => false),
  );
  node.launch();
  const status = await waitFor(
    'a status',
    async () => {
      const now = await node.status().catch(() => undefined);
      return (now?.['problems'] as string[] | undefined)?.some((text) => text.includes('table "margay"')) && now;
    },
    { timeoutMs: 60_000 },
  );
  assert.equal(status['ready'], false);
  assert.match(String(status['problems']), /Cannot add table "margay": .*\(EPERM\)/);
  assert.doesNotMatch(await table(node), /chain/, 'the table of the other is not touched');
  usurper.stdin?.end();
  await waitFor('the agent to be ready', async () => (await node.status())['ready'], { timeoutMs: 60_000 });
  assert.deepEqual((await node.status())['problems'], []);
  assert.equal(await reaches(web.netns, db.ip), true);
});
