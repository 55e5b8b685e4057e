// Both families through the real agent: addresses, first packets at once, rules, routes and CHECK.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { agentNode } from '../support/agent-node.ts';
import { globalAddress } from '../support/global-address.ts';

const POOL = {
  apiVersion: 'projectcalico.org/v3',
  kind: 'IPPool',
  metadata: { name: 'pods-v6' },
  spec: { cidr: 'fd00:10:244::/48', blockSize: 120 },
};

test('pods of two families talk at once, and policy holds for both', async (t) => {
  const node = await agentNode(t);
  await node.create(POOL);
  await node.start();
  await node.netns.exec('ip', 'addr', 'add', 'fd00:198:51::11/64', 'dev', 'uplink', 'nodad');
  const web = await node.addPod('shop', 'web', { app: 'web' });
  const client = await node.addPod('shop', 'client', { app: 'client' });
  const six = { web: await globalAddress(web), client: await globalAddress(client) };
  assert.match(six.web, /^fd00:10:244:/);
  assert.notEqual(six.web, six.client);

  // Without a tentative address and without a router's advertisement, the first packet counts.
  await client.netns.exec('ping', '-c1', '-W10', six.web);
  await client.netns.exec('ping', '-c1', '-W10', web.ip);
  await web.netns.exec('ping', '-c1', '-W10', 'fd00:198:51::11');
  await node.netns.exec('ping', '-c1', '-W10', six.web);
  const routes = await node.netns.exec('ip', '-6', 'route');
  assert.match(routes, new RegExp(`^${six.web} dev ${web.hostIfName} proto 177 metric 1060`, 'm'));
  assert.match(routes, /^blackhole fd00:10:244:\S*\/120 .*proto 177/m);
  for (const [key, value] of Object.entries({ accept_dad: '0', proxy_ndp: '1', accept_ra: '0', forwarding: '1' })) {
    const path = `/proc/sys/net/ipv6/conf/${web.hostIfName}/${key}`;
    assert.equal((await node.netns.exec('cat', path)).trim(), value, key);
  }
  assert.equal((await web.netns.exec('cat', '/proc/sys/net/ipv6/conf/all/forwarding')).trim(), '0');
  assert.deepEqual(await web.cni('CHECK'), { code: 0, stdout: '' });

  await node.create({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: 'shop', name: 'closed' },
    spec: { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Ingress'] },
  });
  const late = await node.addPod('shop', 'late', { app: 'web' });
  for (const ip of [await globalAddress(late), late.ip]) {
    await assert.rejects(client.netns.exec('ping', '-c1', '-W1', ip));
  }
  assert.equal((await late.cni('DEL')).code, 0);
  assert.equal((await web.cni('DEL')).code, 0);
  assert.doesNotMatch(await node.netns.exec('ip', '-6', 'route'), new RegExp(`^${six.web} `, 'm'));
});

test('one family alone is enough', async (t) => {
  const node = await agentNode(t);
  await node.create(POOL);
  await node.store.delete('IPPool', undefined, 'pods');
  await node.start();
  const pod = await node.addPod('shop', 'web');
  assert.match(pod.ip, /^fd00:10:244:/);
  const other = await node.addPod('shop', 'other');
  await other.netns.exec('ping', '-c1', '-W10', pod.ip);
  assert.deepEqual(await pod.cni('CHECK'), { code: 0, stdout: '' });
});
