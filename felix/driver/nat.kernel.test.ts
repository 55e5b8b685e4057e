// Address translation on real packets: a host outside knows no way to the pods, so that it can answer only to the node.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode } from '../../test/support/agent-node.ts';
import { type TestNetns, testNetns } from '../../test/support/netns.ts';

const OUTSIDE = '203.0.113.10';
const INSIDE_POOL = '10.250.0.10';

const SEEN = `table inet seen {
  set dialled { type ipv4_addr . inet_service; flags dynamic; }
  chain input {
    type filter hook input priority 0;
    add @dialled { ip saddr . tcp dport }
  }
}`;

const pings = async (from: TestNetns, ip: string): Promise<boolean> =>
  from.exec('ping', '-c1', '-W1', ip).then(
    () => true,
    () => false,
  );

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
  const table = (): Promise<string> => node.netns.exec('nft', 'list', 'ruleset').then((text) => text);

  assert.equal(await pings(pod.netns, OUTSIDE), false, 'nobody asked for translation');
  assert.doesNotMatch(await table(), /margay-nat/);

  await updatePool(node, { natOutgoing: true });
  await waitFor('the ping to pass', () => pings(pod.netns, OUTSIDE));
  assert.equal(await pings(pod.netns, INSIDE_POOL), true, 'it is in no pool yet');

  await outside.exec('nft', SEEN);
  for (const port of [80, 179]) {
    const dial = ['-c', `exec 3<>/dev/tcp/${OUTSIDE}/${port}`];
    await assert.rejects(pod.netns.exec('timeout', '0.5', 'bash', ...dial), 'nobody listens, or the answer has no way');
  }
  const seen = await outside.exec('nft', 'list', 'set', 'inet', 'seen', 'dialled');
  assert.match(seen, /198\.51\.100\.11 \. 80/);
  assert.match(seen, new RegExp(`${pod.ip} \\. 179`), 'to a BGP speaker a pod is not its node');
  assert.doesNotMatch(seen, /198\.51\.100\.11 \. 179/);

  await node.create({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name: 'exempt' },
    spec: { cidr: '10.250.0.0/16', disabled: true },
  });
  await waitFor('what lies in a pool to be reached as it is', async () => !(await pings(pod.netns, INSIDE_POOL)));
  assert.equal(await pings(pod.netns, OUTSIDE), true);

  const before = await node.netns.exec('nft', '-a', 'list', 'table', 'inet', 'margay-nat');
  await node.kill();
  assert.equal(await pings(pod.netns, OUTSIDE), true, 'it outlives the agent');
  await node.start();
  assert.equal(await node.netns.exec('nft', '-a', 'list', 'table', 'inet', 'margay-nat'), before, 'adopted as it is');

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
  await waitFor('the rule to be back', isThere, { timeoutMs: 5000 });
  await node.netns.exec('nft', 'delete', 'table', 'inet', 'margay-nat');
  await waitFor('the table to be back', isThere, { timeoutMs: 5000 });
});
