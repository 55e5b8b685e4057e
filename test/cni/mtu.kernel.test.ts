// The MTU of pods: the uplink's, the configured one, and the file that tells it.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode, type TestPod } from '../support/agent-node.ts';

test('pods have the MTU of the uplink, also of one that changes', async (t) => {
  const node = await agentNode(t);
  const uplink = (await node.netns.exec('ip', '-o', 'addr', 'show', 'to', '198.51.100.11')).split(/\s+/)[1] ?? '';
  await node.netns.exec('ip', 'link', 'set', uplink, 'mtu', '1420');
  await node.start();
  assert.equal(told(node), '1420\n');
  const before = await node.addPod('shop', 'before');
  assert.match(await linkOf(before), / mtu 1420 /);
  await node.netns.exec('ip', 'link', 'set', uplink, 'mtu', '9000');
  const after = await node.addPod('shop', 'after');
  assert.match(await linkOf(after), / mtu 9000 /);
  await waitFor('the file to tell the new one', () => told(node) === '9000\n');
  // The pod that was there before stays as it is, and is well.
  assert.deepEqual(await before.cni('CHECK'), { code: 0, stdout: '' });
});

test("where the node's address is on the loopback, pods have the smallest MTU of the links that lead on", async (t) => {
  const node = await agentNode(t);
  const commands = [
    'ip link set lo up',
    'ip address delete 198.51.100.11/24 dev eth0',
    'ip address add 198.51.100.11/32 dev lo',
    // A pair: the other end is this node's too.
    'ip link set eth0 mtu 9000',
    'ip link set uplink mtu 8000',
  ];
  for (const command of commands) await node.netns.exec('sh', '-c', command);
  await node.start();
  assert.equal(told(node), '8000\n');
  assert.match(await linkOf(await node.addPod('shop', 'web')), / mtu 8000 /);
  // Pods' own links say nothing about the way out.
  await node.kill();
  await node.netns.exec('ip', 'link', 'set', 'uplink', 'mtu', '9000');
  await node.start();
  assert.equal(told(node), '9000\n');
});

test('a configured MTU is that of pods', async (t) => {
  const node = await agentNode(t, { mtuBytes: 1400 });
  await node.start();
  assert.match(await linkOf(await node.addPod('shop', 'web')), / mtu 1400 /);
  assert.equal(told(node), '1400\n');
});

const told = ({ controlSocket }: AgentNode): string => readFileSync(join(dirname(controlSocket), 'mtu'), 'utf8');
const linkOf = ({ netns }: TestPod): Promise<string> => netns.exec('ip', '-o', 'link', 'show', 'dev', 'eth0');
