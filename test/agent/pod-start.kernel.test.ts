// The first moments of a pod: a sender at one packet per millisecond, from before ADD is called, on either side of it.
// Nothing passes that policy does not allow, although the agent hears of the Pod object only later.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { type AgentNode, agentNode } from '../support/agent-node.ts';
import { type FlowEnd, startFlowEnd } from '../support/flow-end.ts';
import { isolate, NAMESPACE, pings, policy } from './world.ts';

const PORT = 5353;

/** Programs in a pod keep their place in its namespace, so that they can be there before its interface is. */
async function started(t: TestContext, policies: readonly object[]) {
  const node = await agentNode(t);
  await node.create(NAMESPACE);
  for (const object of policies) await node.create(object);
  await node.start();
  const old = await node.addPod('shop', 'old', { app: 'old' });
  // The new pod gets the next address of the block.
  const nextIp = old.ip.replace(/\d+$/, (last) => String(Number(last) + 1));
  const sandbox = await node.sandbox('shop', 'new');
  const toNew = await startFlowEnd(sandbox.netns, 'udp-serve', PORT);
  const toOld = await startFlowEnd(old.netns, 'udp-serve', PORT);
  await startFlowEnd(sandbox.netns, 'udp-send', old.ip, PORT, 1);
  await startFlowEnd(old.netns, 'udp-send', nextIp, PORT, 1);
  await startFlowEnd(node.netns, 'udp-send', nextIp, PORT + 1, 1);
  const fromNode = await startFlowEnd(sandbox.netns, 'udp-serve', PORT + 1);
  const pod = await sandbox.add();
  assert.equal(pod.ip, nextIp);
  // The node may always reach its pods: this stream says that the pod is up, and how long it has been.
  await fromNode.flows(500);
  return { node, old, pod, toNew, toOld, podNetns: sandbox.netns };
}

const makePod = (node: AgentNode, labels: Record<string, string>): Promise<void> =>
  node.create({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name: 'new', labels },
    spec: { nodeName: 'node1' },
  });

const seen = (...ends: readonly FlowEnd[]): readonly number[] => ends.map((end) => end.report().seen);

test('a pod that nobody has heard of neither sends nor receives', async (t) => {
  const { node, toNew, toOld, podNetns } = await started(t, [isolate('default-deny')]);
  assert.deepEqual(seen(toNew, toOld), [0, 0], 'before its object is known');
  await makePod(node, { app: 'new' });
  assert.equal(await pings(podNetns, '198.51.100.11'), false);
  assert.deepEqual(seen(toNew, toOld), [0, 0], 'and after');
});

test('a pod is closed until its object is known, even where nothing isolates it', async (t) => {
  const { node, toNew, toOld } = await started(t, []);
  assert.deepEqual(seen(toNew, toOld), [0, 0]);
  await makePod(node, { app: 'new' });
  await Promise.all([toNew.flows(), toOld.flows()]);
});

test('what policy allows begins when the object is known, and nothing else does', async (t) => {
  const allowed = policy('old', {
    podSelector: { matchLabels: { app: 'old' } },
    ingress: [{ from: [{ podSelector: { matchLabels: { app: 'new' } } }] }],
  });
  const { node, toNew, toOld } = await started(t, [allowed, isolate('others', { app: 'other' })]);
  assert.deepEqual(seen(toNew, toOld), [0, 0]);
  await makePod(node, { app: 'new' });
  await toOld.flows();
  await toNew.flows();
});
