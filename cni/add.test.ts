// What ADD refuses before it changes anything, through the real executable, an agent process and the kernel.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { test } from 'node:test';
import { hostIfName } from '../lib/linux/if-name.ts';
import { failed, nodeAndPod, nothingLeft, outcome, succeeded } from '../test/support/cni-answers.ts';
import { sentAdd } from '../test/support/cni-call.ts';
import { cniNode } from '../test/support/cni-node.ts';
import { testNetns } from '../test/support/netns.ts';
import { MAX_STDIN } from './frame.ts';

test('an MTU that is too small for IPv6 is refused before anything is done', async (t) => {
  const node = await cniNode(t, ['10.244.0.0/16', 'fd00:10:244::/112']);
  const pod = await testNetns(t, 'pod');
  const id = { containerId: 'c1', netns: pod.path, pod: 'web-0' };
  await node.startAgent();
  for (const mtu of [68, 1279]) {
    const refused = failed(await node.call({ command: 'ADD', ...id, config: { mtu } }));
    assert.deepEqual(
      [refused.code, refused.msg],
      [7, `Cannot attach pod "shop/web-0" with IPv6 and an MTU of ${mtu}: expected 1280 or more`],
    );
    await nothingLeft(node, pod);
    assert.deepEqual(await node.agent().tell({ kind: 'assignments' }), []);
  }
  succeeded(await node.call({ command: 'ADD', ...id, config: { mtu: 1280 } }));

  const four = await nodeAndPod(t);
  const small = { containerId: 'c1', netns: four.pod.path, pod: 'web-0', config: { mtu: 68 } };
  succeeded(await four.node.call({ command: 'ADD', ...small }));
  assert.match(await four.pod.exec('ip', '-o', 'link', 'show', 'dev', 'eth0'), / mtu 68 /);
});

test('the longest configuration that is taken has an answer that arrives', async (t) => {
  const { node, pod } = await nodeAndPod(t);
  const { socket, spool } = node.config;
  const config = { cniVersion: '1.1.0', name: 'margay', type: 'margay', agentSocket: socket, spoolDirectory: spool };
  const withDns = (length: number): string => JSON.stringify({ ...config, dns: { domain: 'x'.repeat(length) } });
  const stdin = withDns(MAX_STDIN - withDns(0).length);
  const added = await node.call({ command: 'ADD', containerId: 'c1', netns: pod.path, pod: 'web-0', stdin });
  succeeded(added);
  assert.ok(added.stdout.length > MAX_STDIN);
});

test('an ADD whose caller goes while it waits does not take the place of the sandbox before it', async (t) => {
  const { node, pod } = await nodeAndPod(t);
  const agent = node.agent();
  const first = { containerId: 'c1', netns: pod.path, pod: 'web-0' };
  const second = { ...first, containerId: 'c2', netns: (await testNetns(t, 'second')).path };
  await agent.tell({ kind: 'attach', outcome: 'hang' });
  const added = node.call({ command: 'ADD', ...first });
  assert.deepEqual(await agent.line(), { hanging: true });
  const caller = await sentAdd(node.config.socket, second);
  // What came before it has been read.
  assert.equal((await node.call({ command: 'STATUS' })).exitCode, 0);
  caller.destroy();
  await once(caller, 'close');
  assert.equal((await node.call({ command: 'STATUS' })).exitCode, 0);
  await agent.tell({ kind: 'attach', outcome: 'succeed' });
  agent.process.kill('SIGUSR2');
  const prevResult = succeeded(await added);
  // In the queue of its container.
  assert.equal((await node.call({ command: 'DEL', ...second })).exitCode, 0);
  const checked = await node.call({ command: 'CHECK', ...first, config: { prevResult } });
  assert.deepEqual(outcome(checked), { exitCode: 0, stdout: '' });
});

test('a pod whose interface name another pod has is refused, and so is a second interface', async (t) => {
  const { node, pod: first } = await nodeAndPod(t);
  const second = await testNetns(t, 'second');
  // SHA-1 of "shop.web-2147440" and "shop.web-5178824" begin with the same 44 bits.
  const one = { containerId: 'c1', netns: first.path, pod: 'web-2147440' };
  const two = { containerId: 'c2', netns: second.path, pod: 'web-5178824' };
  assert.equal(hostIfName('shop', one.pod), hostIfName('shop', two.pod));
  const prevResult = succeeded(await node.call({ command: 'ADD', ...one }));
  const refused = failed(await node.call({ command: 'ADD', ...two }));
  assert.equal(refused.code, 103);
  assert.match(refused.msg, /^Cannot attach pod "shop\/web-5178824": .* that of pod "shop\/web-2147440", expected/);
  const sibling = failed(await node.call({ command: 'ADD', ...one, ifName: 'eth1' }));
  assert.equal(sibling.code, 100);
  assert.match(sibling.msg, /"eth1" of network "margay": the container has "eth0" of network "margay", expected one/);
  for (const id of [two, { ...one, ifName: 'eth1' }]) {
    assert.deepEqual(outcome(await node.call({ command: 'DEL', ...id })), { exitCode: 0, stdout: '' });
  }
  const checked = await node.call({ command: 'CHECK', ...one, config: { prevResult } });
  assert.deepEqual(outcome(checked), { exitCode: 0, stdout: '' });
  assert.equal((await node.call({ command: 'DEL', ...one })).exitCode, 0);
  succeeded(await node.call({ command: 'ADD', ...two }));
});
