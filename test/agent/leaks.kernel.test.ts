// The real agent, after what real pods leave behind.
import assert from 'node:assert/strict';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { test } from 'node:test';
import { askAgent } from '../../cli/ipam/ask-agent.ts';
import { ipamViewSchema } from '../../ipam/view.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { agentNode } from '../support/agent-node.ts';

test('the agent frees what leaked, and no address of a pod that lives or is known', async (t) => {
  const node = await agentNode(t);
  const journalPath = join(dirname(dirname(node.controlSocket)), 'state', 'journal.db');
  await node.create({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPAMConfiguration',
    metadata: { name: 'default' },
    spec: { leakGraceSeconds: 1 },
  });
  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await node.start();
  const plain = async (name: string) => (await node.sandbox('shop', name)).add();
  const known = await node.addPod('shop', 'known');
  await node.addPod('shop', 'live');
  // Of pods without a Pod object only the kernel can tell.
  await plain('alone');
  const unsigned = await plain('unsigned');
  const unlinked = await plain('unlinked');
  const lost = await plain('lost');
  const held = async (): Promise<string> => {
    const { assignments } = ipamViewSchema.parse(JSON.parse(await askAgent(node.controlSocket, 'GET', '/v1/ipam')));
    return assignments.map(({ assignment }) => assignment.pod).join();
  };

  // The journal of an agent that was killed after DELs that it could not write down, a while ago.
  await node.kill();
  for (const { hostIfName } of [known, unlinked, lost]) await node.netns.exec('ip', 'link', 'delete', hostIfName);
  await node.netns.exec('ip', 'link', 'set', unsigned.hostIfName, 'alias', '');
  const journal = new DatabaseSync(journalPath);
  journal.exec(`UPDATE assignment SET record = json_set(record, '$.assignedAt', '2026-01-01T00:00:00.000Z')`);
  journal.exec(`UPDATE assignment SET record = json_set(record, '$.netns', '/run/netns/mgyt-none')
    WHERE json_extract(record, '$.pod') IN ('known', 'lost')`);
  journal.close();
  await node.start();
  assert.equal(await held(), 'known,live,alone,unsigned,unlinked,lost');
  // In the order of the journal: what came before has been looked at as often.
  await waitFor('the leaked addresses to be freed', async () => !/lost|unlinked/.test(await held()), WAIT);
  assert.equal(await held(), 'known,live,alone,unsigned');
  assert.match(node.log(), new RegExp(`"pod":"lost","ips":\\["${lost.ip}"\\],"msg":"freed addresses that leaked`));

  await node.store.delete('Pod', 'shop', 'known');
  await waitFor('the address of a pod that is gone now, too', async () => !/known/.test(await held()), WAIT);
  assert.equal(await held(), 'live,alone,unsigned');
  assert.equal(node.log().match(/freed addresses that leaked/g)?.length, 3);
});

const WAIT = { timeoutMs: 30_000 };
