// The Node object is deleted and made again while its agent runs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode } from '../support/agent-node.ts';

const WAIT = { timeoutMs: 30_000 };

test('an agent whose Node is made again keeps the blocks that are there, and gives up those that others have', async (t) => {
  const node = await agentNode(t);
  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await node.create({ apiVersion: 'v1', kind: 'Node', metadata: { name: 'node2' } });
  await node.start();
  await node.addPod('shop', 'web');
  const [block] = await blocksOf(node);
  assert.ok(block);

  await node.store.delete('Node', undefined, 'node1');
  const uid = await makeNode(node);
  const name = block.replace(/[./]/g, '-');
  await waitFor(
    'the block to be of the new Node',
    async () => (await node.store.get('IPBlock', undefined, name))?.spec.nodeUid === uid,
    WAIT,
  );
  assert.deepEqual(await blocksOf(node), [block]);

  await node.store.delete('Node', undefined, 'node1');
  const stored = await node.store.get('IPBlock', undefined, name);
  assert.ok(stored);
  const { nodeUid: _, ...spec } = stored.spec;
  await node.store.update({ ...stored, spec: { ...spec, node: 'node2' } });
  await makeNode(node);
  await waitFor('the block to be given up', async () => !(await blocksOf(node)).includes(block), WAIT);
  await waitFor('another block', async () => (await blocksOf(node)).length === 1, WAIT);
  assert.match(node.log(), /A pod has an address of a block of another node/);
});

async function makeNode({ store, create }: AgentNode): Promise<string | undefined> {
  await create({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node1' },
    status: { addresses: [{ type: 'InternalIP', address: '198.51.100.11' }] },
  });
  return (await store.get('Node', undefined, 'node1'))?.metadata.uid;
}

async function blocksOf({ status }: AgentNode): Promise<readonly string[]> {
  const { blocks } = await status();
  return Array.isArray(blocks) ? blocks.map(String) : [];
}
