// GC and STATUS of the real agent, and what they do about state that nobody remembers.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { cniNode } from '../support/cni-node.ts';
import { testNetns } from '../support/netns.ts';

test('GC removes links that the journal has lost, of its own network alone', async (t) => {
  const node = await cniNode(t);
  await node.startAgent();
  const pod = await testNetns(t, 'pod');
  const rows = [
    { name: 'mgy00000000001', alias: 'margay.lost.eth0', stays: false },
    { name: 'mgy00000000002', alias: 'margay.listed.eth0', stays: true },
    { name: 'mgy00000000003', alias: 'other.lost.eth0', stays: true },
    { name: 'mgy00000000004', alias: '', stays: true },
    { name: 'veth5', alias: 'margay.lost.eth0', stays: true },
  ];
  for (const { name, alias } of rows) {
    await node.netns.exec(
      'ip',
      'link',
      'add',
      name,
      'type',
      'veth',
      'peer',
      'name',
      `p${name.slice(-4)}`,
      'netns',
      pod.name,
    );
    if (alias !== '') await node.netns.exec('ip', 'link', 'set', name, 'alias', alias);
  }
  const valid = [{ containerID: 'listed', ifname: 'eth0' }];
  const answer = await node.call({ command: 'GC', config: { 'cni.dev/valid-attachments': valid } });
  assert.deepEqual([answer.exitCode, answer.stdout], [0, '']);
  const links = (): Promise<string> => node.netns.exec('ip', '-o', 'link');
  await waitFor('the lost link to be gone', async () => !(await links()).includes('mgy00000000001'));
  for (const { name, stays } of rows) assert.equal((await links()).includes(name), stays, name);
});
