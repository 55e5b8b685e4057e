// Address translation on real packets: a host outside knows no way to the pods, so that it can answer only to the node.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { waitFor } from '../../lib/wait-for.ts';
import { pings, reaches } from '../../test/agent/world.ts';
import { type AgentNode, agentNode } from '../../test/support/agent-node.ts';
import { testNetns } from '../../test/support/netns.ts';
import { withoutOwnerName } from '../../test/support/without-owner-name.ts';

const OUTSIDE = '203.0.113.10';
const INSIDE_POOL = '10.250.0.10';

const SEEN = `table inet seen {
  set dialled { type ipv4_addr . inet_proto . inet_service; flags dynamic; }
  chain input {
    type filter hook input priority 0;
    meta l4proto { tcp, udp } add @dialled { ip saddr . meta l4proto . th dport }
  }
}`;

async function updatePool(node: AgentNode, spec: object): Promise<void> {
  const pool = await node.store.get('IPPool', undefined, 'pods');
  assert.ok(pool);
  await node.store.update({ ...pool, spec: { ...pool.spec, ...spec } });
}

test('pods of a pool with natOutgoing reach a host that has no way back', async (t) => {
  const node = await agentNode(t);
  const outside = await testNetns(t, 'outside');
  await node.netns.exec('ip', 'link', 'set', 'uplink', 'netns', outside.name);
  await outside.exec('ip', 'address', 'add', '198.51.100.1/24', 'dev', 'uplink');
  for (const ip of [OUTSIDE, INSIDE_POOL]) await outside.exec('ip', 'address', 'add', `${ip}/32`, 'dev', 'lo');
  await outside.exec('ip', 'link', 'set', 'uplink', 'up');
  await node.netns.exec('ip', 'route', 'add', 'default', 'via', '198.51.100.1');
  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await node.start();
  const pod = await node.addPod('shop', 'web');
  const table = (): Promise<string> => node.netns.exec('nft', 'list', 'ruleset');

  assert.equal(await pings(pod.netns, OUTSIDE), false, 'nobody asked for translation');
  assert.doesNotMatch(await table(), /margay-nat/);

  await updatePool(node, { natOutgoing: true });
  await waitFor('the ping to pass', () => pings(pod.netns, OUTSIDE));
  assert.equal(await reaches(pod.netns, INSIDE_POOL), true, 'it is in no pool yet');

  await outside.exec('nft', SEEN);
  /** As whom the pod came to the ports outside: as its node, or as itself. */
  const seenAs = (protocol: 'tcp' | 'udp', ports: readonly number[]): Promise<Record<number, string>> =>
    waitFor('each port to have been dialled', async () => {
      await outside.exec('nft', 'flush', 'set', 'inet', 'seen', 'dialled');
      const dials = ports.map((port) => `(echo > /dev/${protocol}/${OUTSIDE}/${port}) 2> /dev/null &`).join('\n');
      // Nobody listens, or the answer has no way. Half a second may be too short for all of it to have been sent.
      await pod.netns.exec('timeout', '0.5', 'bash', '-c', `${dials}\nwait`).catch(() => {});
      const seen = await outside.exec('nft', 'list', 'set', 'inet', 'seen', 'dialled');
      const found = [...seen.matchAll(new RegExp(`(\\S+) \\. ${protocol} \\. (\\d+)`, 'g'))];
      const byPort = new Map(found.map(([, ip, port]) => [Number(port), ip === pod.ip ? 'itself' : String(ip)]));
      return byPort.size === ports.length && Object.fromEntries(byPort);
    });
  const NODE = '198.51.100.11';
  assert.deepEqual(await seenAs('tcp', [80, 179, 1179, 2179, 3179]), {
    80: NODE,
    179: 'itself',
    1179: NODE,
    2179: NODE,
    3179: NODE,
  });
  assert.deepEqual(await seenAs('udp', [53, 3784, 3785, 4784]), {
    53: NODE,
    3784: 'itself',
    3785: 'itself',
    4784: 'itself',
  });

  const bgp = { apiVersion: 'projectcalico.org/v3', kind: 'BGPConfiguration' };
  await node.create({ ...bgp, metadata: { name: 'default' }, spec: { listenPort: 1179 } });
  await node.create({ ...bgp, metadata: { name: 'node.other' }, spec: { listenPort: 2179 } });
  const peer = { apiVersion: 'projectcalico.org/v3', kind: 'BGPPeer', metadata: { name: 'tor' } };
  await node.create({ ...peer, spec: { peerIP: '198.51.100.1:3179', asNumber: 64600 } });
  const whole = { 80: NODE, 179: 'itself', 1179: 'itself', 2179: 'itself', 3179: 'itself' };
  const isWhole = async () => isDeepStrictEqual(await seenAs('tcp', [80, 179, 1179, 2179, 3179]), whole);
  await waitFor('the ports that objects name to be spared', isWhole);
  await node.store.delete('BGPPeer', undefined, 'tor');
  await waitFor('a port that nothing names any more to be translated', async () => {
    return (await seenAs('tcp', [3179]))[3179] === NODE;
  });

  await node.create({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name: 'exempt' },
    spec: { cidr: '10.250.0.0/16', disabled: true },
  });
  await waitFor('what lies in a pool to be reached as it is', async () => !(await pings(pod.netns, INSIDE_POOL)));
  assert.equal(await reaches(pod.netns, OUTSIDE), true);

  const listing = async (): Promise<string> =>
    withoutOwnerName(await node.netns.exec('nft', '-a', 'list', 'table', 'inet', 'margay-nat'));
  const before = await listing();
  await node.kill();
  assert.equal(await reaches(pod.netns, OUTSIDE), true, 'it outlives the agent');
  await node.start();
  assert.equal(await listing(), before, 'adopted as it is');

  await updatePool(node, { natOutgoing: false });
  await waitFor('the ping to stop', async () => !(await pings(pod.netns, OUTSIDE)));
});

test('somebody else deletes the translation, and it comes back', async (t) => {
  const node = await agentNode(t, { tableOwner: 'off' });
  await updatePool(node, { natOutgoing: true });
  await node.start();
  const isThere = (): Promise<boolean> =>
    node.netns.exec('nft', 'list', 'table', 'inet', 'margay-nat').then(
      (text) => text.includes('masquerade'),
      () => false,
    );
  await waitFor('the table', isThere);
  await node.netns.exec('nft', 'flush', 'chain', 'inet', 'margay-nat', 'postrouting');
  await waitFor('the rule to be back', isThere);
  await node.netns.exec('nft', 'delete', 'table', 'inet', 'margay-nat');
  await waitFor('the table to be back', isThere);
});
