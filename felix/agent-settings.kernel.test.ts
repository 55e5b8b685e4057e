// An agent and the settings of address management: those that hold, and those that cannot be read.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { waitFor } from '../lib/wait-for.ts';
import { agentNode } from '../test/support/agent-node.ts';
import { ipamViewOf } from '../test/support/cni-state.ts';

const v3 = (kind: string, name: string, spec: object) => ({
  ...{ apiVersion: 'projectcalico.org/v3', kind, metadata: { name } },
  spec,
});

test('an agent that may claim no blocks says so, and claims one as soon as it may', async (t) => {
  const node = await agentNode(t);
  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await node.create(v3('IPAMConfiguration', 'default', { autoAllocateBlocks: false }));
  await node.start();
  assert.match(JSON.stringify((await node.status())['problems']), /autoAllocateBlocks.* false in IPAMConfiguration/);
  await assert.rejects(
    node.addPod('shop', 'early'),
    /no block of IPPool .*pods.*; it claims no other with .*autoAllocate/,
  );
  const found = (await node.store.get('IPAMConfiguration', undefined, 'default')) ?? assert.fail('no settings');
  await node.store.update({ ...found, spec: {} });
  await waitFor('a block', async () => (await ipamViewOf(node)).blocks.length === 1);
  await node.addPod('shop', 'web');
});

test('an agent that starts with unreadable objects keeps what pods need, and is careful with addresses', async (t) => {
  const node = await agentNode(t);
  const path = join(dirname(dirname(node.controlSocket)), 'datastore.db');
  const damage = (key: string, from: string, to: string): void => {
    const sqlite = new DatabaseSync(path);
    sqlite.prepare('UPDATE objects SET json = replace(json, ?, ?) WHERE key = ?').run(from, to, key);
    sqlite.close();
  };
  const ruleset = () => node.netns.exec('nft', 'list', 'ruleset');
  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await node.create(v3('IPPool', 'nat', { cidr: '10.250.0.0/16', natOutgoing: true, nodeSelector: 'has(nat)' }));
  await node.create(v3('IPAMConfiguration', 'default', { ipCooldownSeconds: 1, maxBlocksPerHost: 9 }));
  await node.start();
  const pod = await node.addPod('shop', 'web');
  await waitFor('the translation', async () => /masquerade/.test(await ruleset()));
  await node.kill();
  damage('IPPool/nat', 'has(nat)', 'has((');
  damage('IPAMConfiguration/default', '"ipCooldownSeconds":1', '"ipCooldownSeconds":"short"');
  damage('Node/node1', '"name":"node1"', '"name":"node1","labels":7');
  await node.start();
  assert.match(await ruleset(), /10\.250\.0\.0\/16/);
  const problems = JSON.stringify((await node.status())['problems']);
  assert.match(problems, /IPPool \\"nat\\".*; it gives no new addresses meanwhile/);
  assert.match(problems, /IPAMConfiguration \\"default\\".*where the cool-down cannot be read, it is the longest/);
  assert.equal((await pod.cni('DEL')).code, 0);
  assert.deepEqual((await ipamViewOf(node)).resting, [pod.ip]);
});
