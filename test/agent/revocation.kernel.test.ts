// Live flows while policy changes, while the agent is away, and while the table is made anew: what is revoked stops, in
// both directions, and what stays allowed notices nothing.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode, type TestPod } from '../support/agent-node.ts';
import { type FlowEnd, startFlowEnd } from '../support/flow-end.ts';
import { isolate, judged, NAMESPACE, policy } from './world.ts';

const PORT = 5353;

type World = { readonly node: AgentNode; readonly client: TestPod; readonly db: TestPod; readonly cache: TestPod };

/** A client, and two servers of the same kind. */
async function world(t: TestContext, configuration?: Record<string, unknown>): Promise<World> {
  const node = await agentNode(t, configuration);
  await node.create(NAMESPACE);
  await node.start();
  const [client, db, cache] = await Promise.all(
    ['client', 'db', 'cache'].map((app) => node.addPod('shop', app, { app })),
  );
  assert.ok(client && db && cache);
  for (const { netns } of [db, cache]) {
    await startFlowEnd(netns, 'udp-serve', PORT);
    await startFlowEnd(netns, 'tcp-serve', PORT);
  }
  return { node, client, db, cache };
}

const now = (): number => performance.timeOrigin + performance.now();

/** The tracked flows to a server, with what identifies them. */
const tracked = async (node: AgentNode, ip: string): Promise<readonly string[]> =>
  (await node.netns.exec('conntrack', '-L', '-o', 'id', '--orig-dst', ip))
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => /id=\d+/.exec(line)?.[0] ?? line)
    .sort();

/** How long after the object was written the last packet came. */
function tell(t: TestContext, what: string, changedAt: number, ends: readonly FlowEnd[]): void {
  const late = ends.map((end) => `${(end.report().lastAt - changedAt).toFixed(1)} ms`);
  t.diagnostic(`${what}: last packets ${late.join(', ')} after the change`);
}

test('revoked flows stop in every direction, and what stays allowed loses nothing', async (t) => {
  const { node, client, db, cache } = await world(t);
  const to = (role: string, pod: TestPod) => startFlowEnd(client.netns, role, pod.ip, PORT, 1);
  const doomed = await Promise.all(['udp-ask', 'tcp-echo', 'tcp-ask'].map((role) => to(role, db)));
  const kept = await Promise.all(['udp-ask', 'tcp-echo', 'tcp-ask'].map((role) => to(role, cache)));
  for (const end of [...doomed, ...kept]) await end.flows();
  const before = await tracked(node, cache.ip);
  assert.equal(before.length, 3);

  const revokedAt = now();
  await node.create(isolate('isolate-db', { app: 'db' }));
  // Longer than the server takes to send again what nobody acknowledged (200 ms, and twice that the next time).
  for (const end of doomed) await end.stops(1000);
  tell(t, 'UDP replies, TCP echo, TCP replies', revokedAt, doomed);
  const { flows } = (await node.status()) as { flows: { last: unknown; revoked: number } };
  t.diagnostic(`last judgement: ${JSON.stringify(flows.last)}, ${flows.revoked} flows revoked`);
  await judged(node);
  assert.equal((await tracked(node, db.ip)).length, 2, 'revoked connections are remembered, other flows not');
  for (const end of kept) await end.flows();
  assert.deepEqual(
    kept.map((end) => end.report().missing),
    [0, 0, 0],
    'no packet of an allowed flow is lost',
  );
  assert.deepEqual(await tracked(node, cache.ip), before, 'nor its entry');

  const again = doomed.map((end) => end.flows());
  await node.store.delete('NetworkPolicy', 'shop', 'isolate-db');
  await Promise.all(again);
  assert.deepEqual(
    doomed.map((end) => end.report().error),
    [undefined, undefined, undefined],
    'connections that were cut off for a while go on',
  );
});

test('a stream that only the asker still may begin stops, whatever the other side may do', async (t) => {
  const { node, client, db, cache } = await world(t);
  const stream = await startFlowEnd(client.netns, 'udp-ask', db.ip, PORT, 1);
  const other = await startFlowEnd(client.netns, 'udp-ask', cache.ip, PORT, 1);
  await Promise.all([stream.flows(), other.flows()]);
  const only = (app: string, name = 'client', policyTypes = ['Ingress', 'Egress']) =>
    policy(name, {
      podSelector: { matchLabels: { app: 'client' } },
      policyTypes,
      egress: [{ to: [{ podSelector: { matchLabels: { app } } }] }],
    });
  await node.create(only('cache'));
  await stream.stops();
  await judged(node);
  await other.flows();
  assert.equal(other.report().missing, 0, 'its answers need no leave of their own');

  // A server that policy lets begin a flow to the client does so with its next datagram, and it is one of its own.
  await node.create(only('cache', 'egress-only', ['Egress']));
  await node.store.delete('NetworkPolicy', 'shop', 'client');
  await stream.flows();
  const own = await node.netns.exec('conntrack', '-L', '--orig-src', db.ip, '--orig-dst', client.ip);
  assert.deepEqual([await tracked(node, db.ip), own.trimEnd().split('\n').length], [[], 1]);
});

test('a flow behind an address translation keeps its entry', async (t) => {
  const { node, client, db, cache } = await world(t);
  await node.netns.exec(
    'nft',
    'add table ip service; add chain ip service pre { type nat hook prerouting priority dstnat; }; ' +
      `add rule ip service pre ip daddr 10.96.0.10 dnat to ${db.ip}`,
  );
  const stream = await startFlowEnd(client.netns, 'udp-ask', '10.96.0.10', PORT, 1);
  await stream.flows();
  const before = await tracked(node, '10.96.0.10');
  assert.equal(before.length, 1);
  await node.netns.exec('nft', 'flush', 'table', 'ip', 'service');
  const { generation } = await node.status();
  await node.create(isolate('isolate-cache', { app: 'cache' }));
  await waitFor('the flows to be judged', async () => {
    const { flows } = (await node.status()) as { flows: { judgedGeneration: number } };
    return flows.judgedGeneration !== generation;
  });
  await stream.flows();
  assert.deepEqual(await tracked(node, '10.96.0.10'), before);
  assert.equal(stream.report().missing, 0);
  await node.create(isolate('isolate-db', { app: 'db' }));
  await stream.stops();
  await judged(node);
  assert.deepEqual(await tracked(node, '10.96.0.10'), [], 'judged by the pod that it leads to');
  assert.ok(cache.ip);
});

test('flows that the node began are not policed', async (t) => {
  const { node, db } = await world(t);
  const probe = await startFlowEnd(node.netns, 'udp-ask', db.ip, PORT, 1);
  await probe.flows();
  const { generation: before } = await node.status();
  await node.create(isolate('isolate-db', { app: 'db' }));
  await waitFor('a generation without flows that are denied', async () => {
    const { generation, flows } = (await node.status()) as { generation: number; flows: { judgedGeneration: number } };
    return generation !== before && flows.judgedGeneration === generation;
  });
  await probe.flows(100);
  assert.equal(probe.report().missing, 0);
});

test('flows live through a restart, and what was revoked meanwhile stops with the start', async (t) => {
  const { node, client, db, cache } = await world(t);
  const doomed = await Promise.all(
    ['udp-ask', 'tcp-echo'].map((role) => startFlowEnd(client.netns, role, db.ip, PORT, 1)),
  );
  const kept = await Promise.all(
    ['udp-ask', 'tcp-echo'].map((role) => startFlowEnd(client.netns, role, cache.ip, PORT, 1)),
  );
  for (const end of [...doomed, ...kept]) await end.flows();
  await node.kill();
  for (const end of [...doomed, ...kept]) await end.flows(50);
  await node.create(isolate('isolate-db', { app: 'db' }));
  await node.start();
  for (const end of doomed) await end.stops();
  for (const end of kept) await end.flows(50);
  assert.deepEqual(
    kept.map((end) => end.report().missing),
    [0, 0],
  );
});

test('the flows of a deleted pod are gone, and those of others are not', async (t) => {
  const { node, client, db, cache } = await world(t);
  const [gone, kept] = await Promise.all(
    [db, cache].map((pod) => startFlowEnd(client.netns, 'udp-ask', pod.ip, PORT, 1)),
  );
  await Promise.all([gone?.flows(), kept?.flows()]);
  const before = await tracked(node, cache.ip);
  assert.equal((await db.cni('DEL')).code, 0);
  await waitFor('the flows to go', async () => (await tracked(node, db.ip)).length === 0);
  assert.deepEqual(await tracked(node, cache.ip), before);
  await kept?.flows();
  assert.equal(kept?.report().missing, 0);
});
