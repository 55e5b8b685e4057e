// Addresses and MACs that are asked for: by annotations of pods that the agent knows, and by the runtime.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type AgentNode, agentNode, type TestPod } from '../support/agent-node.ts';
import { cniNode } from '../support/cni-node.ts';
import { testNetns } from '../support/netns.ts';

test('annotations choose address and MAC; those that are not valid choose nothing', async (t) => {
  const node = await agentNode(t);
  await node.start();
  const { ip } = await addPod(node, 'first', {});
  const block = ip.replace(/\.\d+$/, '');

  const asked = { ipAddrs: `["${block}.77"]`, hwAddr: '02:00:00:00:00:4D' };
  const pinned = await addPod(node, 'pinned', asked);
  assert.equal(pinned.ip, `${block}.77`);
  assert.match(await pinned.netns.exec('ip', 'link', 'show', 'dev', 'eth0'), /link\/ether 02:00:00:00:00:4d/);
  assert.deepEqual(await pinned.cni('CHECK'), { code: 0, stdout: '' });

  const wild = { ipAddrs: 'surprise', hwAddr: 'ff:ff:ff:ff:ff:ff', ipFamilies: '7', ipv4pools: '{}' };
  assert.ok((await addPod(node, 'wild', wild)).ip.startsWith(`${block}.`));
  assert.match(node.log(), /annotations of a pod are not used/);

  await assert.rejects(addPod(node, 'second', asked), /"code":101/);
  await assert.rejects(addPod(node, 'outside', { ipAddrs: '["203.0.113.9"]' }), /"code":102,.*203\.0\.113\.9/);
  await assert.rejects(addPod(node, 'six', { ipFamilies: '["IPv6"]' }), /"code":102,.*IPv6/);
});

test('annotations choose no address and no MAC where the agent shall ignore them', async (t) => {
  const node = await agentNode(t, { podAddressRequests: 'ignore' });
  await node.start();
  const block = (await addPod(node, 'first', {})).ip.replace(/\.\d+$/, '');
  const second = await addPod(node, 'second', { ipAddrs: `["${block}.77"]`, hwAddr: '02:00:00:00:00:4d' });
  assert.notEqual(second.ip, `${block}.77`);
  assert.doesNotMatch(await second.netns.exec('ip', 'link', 'show', 'dev', 'eth0'), /02:00:00:00:00:4d/);
  assert.match(node.log(), /ipAddrs\\" of the pod: the agent has podAddressRequests/);
});

test('an address that another pod had until lately is for later', async (t) => {
  const node = await agentNode(t);
  await node.create({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPAMConfiguration',
    metadata: { name: 'default' },
    spec: { ipCooldownSeconds: 600 },
  });
  await node.start();
  const { ip, cni } = await addPod(node, 'db-0', {});
  assert.equal((await cni('DEL')).code, 0);
  await assert.rejects(addPod(node, 'thief', { ipAddrs: `["${ip}"]` }), /"code":11,.* another pod had it until lately/);
});

test('annotations of pod and namespace choose pools', async (t) => {
  const node = await agentNode(t);
  for (const [name, cidr] of Object.entries({ red: '10.245.0.0/16', blue: '10.246.0.0/16' })) {
    const spec = { cidr, assignmentMode: 'Manual' };
    await node.create({ apiVersion: 'projectcalico.org/v3', kind: 'IPPool', metadata: { name }, spec });
  }
  await node.create({
    apiVersion: 'v1',
    kind: 'Namespace',
    metadata: { name: 'shop', annotations: { 'cni.projectcalico.org/ipv4pools': '["red"]' } },
  });
  await node.start();
  assert.match((await addPod(node, 'home', {})).ip, /^10\.245\./);
  assert.match((await addPod(node, 'abroad', { ipv4pools: '["10.246.0.0/16"]' })).ip, /^10\.246\./);
  await assert.rejects(addPod(node, 'nowhere', { ipv4pools: '["green"]' }), /"code":102,.*green/);
});

test('the runtime chooses by capabilities', async (t) => {
  const node = await cniNode(t);
  await node.startAgent();
  const pod = await testNetns(t, 'pod');
  const id = { containerId: 'c1', netns: pod.path, pod: 'web-0' };
  const runtimeConfig = { ips: ['10.244.7.9/24'], mac: '02:00:00:00:00:09' };
  const added = await node.call({ command: 'ADD', ...id, config: { runtimeConfig } });
  assert.equal(added.exitCode, 0, added.stdout);
  const { ips, interfaces } = JSON.parse(added.stdout);
  assert.deepEqual([ips[0].address, interfaces[1].mac], ['10.244.7.9/32', '02:00:00:00:00:09']);
  const refused = await node.call({ command: 'ADD', ...id, config: { runtimeConfig: { ips: ['nowhere'] } } });
  assert.equal(JSON.parse(refused.stdout).code, 7);
});

async function addPod(node: AgentNode, name: string, annotations: Readonly<Record<string, string>>): Promise<TestPod> {
  const prefixed = Object.entries(annotations).map(([key, value]) => [`cni.projectcalico.org/${key}`, value]);
  await node.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name, annotations: Object.fromEntries(prefixed) },
    spec: { nodeName: 'node1' },
  });
  return (await node.sandbox('shop', name)).add();
}
