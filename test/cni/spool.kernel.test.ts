// A DEL that the agent could not take at its time, and that nobody repeats.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { agentNode } from '../support/agent-node.ts';
import { whileBusy } from '../support/busy-agent.ts';
import { cniPathsOf, spooled } from '../support/cni-state.ts';

test('a DEL that a busy agent did not take frees the pod without a restart', async (t) => {
  const node = await agentNode(t);
  await node.start();
  const pod = await node.addPod('shop', 'web');
  await whileBusy(cniPathsOf(node).socket, async () => {
    assert.deepEqual(await pod.cni('DEL'), { code: 0, stdout: '' });
    assert.equal(spooled(node).length, 1);
  });
  // The agent looks once a minute.
  await waitFor('the DEL to be carried out', () => spooled(node).length === 0, { timeoutMs: 120_000 });
  assert.doesNotMatch(await node.netns.exec('ip', 'route'), new RegExp(`^${pod.ip} `, 'm'));
  const links = (): Promise<string> => node.netns.exec('ip', '-o', 'link');
  await waitFor('the link to go', async () => !(await links()).includes(pod.hostIfName));
});
