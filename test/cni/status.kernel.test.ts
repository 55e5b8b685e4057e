// What STATUS of the real agent says, and that it takes it back by itself.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { parseResource } from '../../datastore/resources/parse.ts';
import { unwrap } from '../../lib/result.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode } from '../support/agent-node.ts';
import { cniCaller } from '../support/cni-call.ts';
import { cniPathsOf } from '../support/cni-state.ts';

type Status = { readonly code: number; readonly msg: string };
const WELL: Status = { code: 0, msg: '' };
const DEADLINE = { timeoutMs: 60_000 };

function statusOf(node: AgentNode): () => Promise<Status> {
  const { call } = cniCaller(cniPathsOf(node));
  return async () => {
    const { exitCode, stdout } = await call({ command: 'STATUS' });
    if (exitCode === 0) return WELL;
    const { code, msg } = JSON.parse(stdout);
    return { code, msg };
  };
}

const pool = (name: string, cidr: string, spec: object = {}) => ({
  apiVersion: 'projectcalico.org/v3',
  kind: 'IPPool',
  metadata: { name },
  spec: { cidr, ...spec },
});

async function nodeWithPools(t: TestContext, pools: readonly object[]): Promise<AgentNode> {
  const node = await agentNode(t);
  await node.store.delete('IPPool', undefined, 'pods');
  for (const each of pools) await node.create(each);
  return node;
}

test('STATUS is 50 while no block can be had, and well when one can', async (t) => {
  const node = await nodeWithPools(t, [pool('small', '10.244.0.0/24')]);
  await node.create({
    apiVersion: 'margay.dev/v1alpha1',
    kind: 'IPBlock',
    metadata: { name: '10-244-0-0-24' },
    spec: { cidr: '10.244.0.0/24', pool: 'small', node: 'node2' },
  });
  await node.start();
  const status = statusOf(node);
  const { code, msg } = await status();
  assert.equal(code, 50);
  assert.match(msg, /Cannot attach pods: .*IPPool "small" has none left/);
  await node.store.delete('IPBlock', undefined, '10-244-0-0-24');
  await waitFor('STATUS to be well', async () => (await status()).code === 0, DEADLINE);
});

test('STATUS follows the labels of the Node that pools select', async (t) => {
  const node = await nodeWithPools(t, [pool('zone', '10.244.0.0/16', { nodeSelector: "zone == 'a'" })]);
  await node.start();
  const status = statusOf(node);
  const { code, msg } = await status();
  assert.equal(code, 50);
  assert.match(msg, /spec.nodeSelector "zone == 'a'" does not select this node/);
  const own = await node.store.get('Node', undefined, 'node1');
  assert.ok(own);
  await node.store.update({ ...own, metadata: { ...own.metadata, labels: { zone: 'a' } } });
  await waitFor('STATUS to be well', async () => (await status()).code === 0, DEADLINE);
});

test('STATUS is well where every pool is for some pods', async (t) => {
  const node = await nodeWithPools(t, [
    pool('team', '10.244.0.0/16', { namespaceSelector: 'has(team)' }),
    pool('named', '10.245.0.0/16', { assignmentMode: 'Manual' }),
  ]);
  await node.start();
  const status = statusOf(node);
  assert.deepEqual(await status(), WELL);
  assert.deepEqual((await node.store.list('IPBlock')).items, [], 'nothing is claimed before such a pod comes');
  for (const { metadata } of (await node.store.list('IPPool')).items) {
    await node.store.delete('IPPool', undefined, metadata.name);
  }
  await waitFor('STATUS to say that there is no pool', async () => (await status()).code === 50, DEADLINE);
  await node.store.create(unwrap(parseResource(pool('any', '10.246.0.0/16'))));
  await waitFor('STATUS to be well', async () => (await status()).code === 0, DEADLINE);
});

test('STATUS is 51 while somebody else holds the table of the rules', async (t) => {
  const node = await agentNode(t, { tableOwner: 'off' });
  await node.start();
  const status = statusOf(node);
  assert.deepEqual(await status(), WELL);
  // A table with an owner can be changed through the socket that made it alone, and goes with it.
  const other = node.netns.spawn('nft', ['-i'], { stdio: ['pipe', 'ignore', 'ignore'] });
  other.stdin?.write('delete table inet margay; add table inet margay { flags owner; }\n');
  const isRefused = ({ code, msg }: Status): boolean => code === 51 && /Cannot attach pods: .*not permitted/.test(msg);
  await waitFor('STATUS to be 51, and to say why', async () => isRefused(await status()), DEADLINE);
  other.kill('SIGKILL');
  await waitFor('STATUS to be well', async () => (await status()).code === 0, DEADLINE);
});
