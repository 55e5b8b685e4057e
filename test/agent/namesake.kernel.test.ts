// Two machines whose agents were given one name, over one datastore.
import assert from 'node:assert/strict';
import { readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { cidrContains, parseCidr } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { type AgentNode, agentNode, type TestPod } from '../support/agent-node.ts';
import { ipamViewOf } from '../support/cni-state.ts';
import { margay } from '../support/margay-cli.ts';

const WAIT = { timeoutMs: 30_000 };
const directoryOf = ({ controlSocket }: AgentNode): string => dirname(dirname(controlSocket));

test('agents of one name give out of blocks of their own, say so, and make a lost journal good', async (t) => {
  const first = await agentNode(t);
  const path = join(directoryOf(first), 'datastore.db');
  const second = await agentNode(t, { datastore: { kind: 'embedded', path } });
  await first.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  const addPod = async (node: AgentNode, name: string): Promise<TestPod> => {
    await first.create({
      ...{ apiVersion: 'v1', kind: 'Pod', metadata: { namespace: 'shop', name } },
      spec: { nodeName: 'node1' },
    });
    return (await node.sandbox('shop', name)).add();
  };
  await first.start();
  const a = await addPod(first, 'a');
  await second.start();
  const b = await addPod(second, 'b');
  const [ofFirst, ofSecond] = [await blocksOf(first), await blocksOf(second)];
  assert.deepEqual([ofFirst.length, ofSecond.length], [1, 1]);
  assert.notDeepEqual(ofFirst, ofSecond);
  assert.ok(isIn(a.ip, ofFirst) && isIn(b.ip, ofSecond));
  const held = (block: string) =>
    new RegExp(`^Cannot use address block "${block}" of node "node1": another agent of this name holds it `);
  await waitFor('the problem', async () => held(ofSecond[0] ?? '').test((await problemsOf(first))[0] ?? ''), WAIT);
  assert.match((await problemsOf(second))[0] ?? '', held(ofFirst[0] ?? ''));
  const agents = ['--datastore', path, '--agent', first.controlSocket, second.controlSocket];
  const { status, stdout } = margay(['ipam', 'check', ...agents]);
  assert.equal(status, 1);
  for (const block of [...ofFirst, ...ofSecond]) {
    assert.match(stdout, new RegExp(`^block-of-other-agent: .*"${block}".* delete IPBlock "[-0-9]+"$`, 'm'));
  }

  await second.kill();
  const state = join(directoryOf(second), 'state');
  for (const file of readdirSync(state)) if (file.startsWith('journal.db')) rmSync(join(state, file));
  await second.start();
  assert.deepEqual(await blocksOf(second), ofSecond);
  const c = await addPod(second, 'c');
  assert.ok(isIn(c.ip, ofSecond) && c.ip !== b.ip);
  await second.netns.exec('ping', '-c1', '-W10', b.ip);
  await first.netns.exec('ping', '-c1', '-W10', a.ip);

  // The operator has heard that the first is gone.
  await first.kill();
  await first.store.delete('IPBlock', undefined, (ofFirst[0] ?? '').replace(/[./]/g, '-'));
  await waitFor('no problem', async () => (await problemsOf(second)).length === 0, WAIT);
});

const isIn = (ip: string, blocks: readonly string[]): boolean =>
  blocks.some((block) => cidrContains(unwrap(parseCidr(block)), unwrap(parseIp(ip))));

const blocksOf = async (node: AgentNode): Promise<readonly string[]> =>
  (await ipamViewOf(node)).blocks.map(({ cidr }) => cidr);

/** Those that are about blocks. */
async function problemsOf(node: AgentNode): Promise<readonly string[]> {
  const { problems } = await node.status();
  return Array.isArray(problems) ? problems.map(String).filter((text) => text.includes('address block')) : [];
}
