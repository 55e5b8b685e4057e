// GC and STATUS: what they do about state that nobody remembers, and what they say when something stands in the way.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { waitFor } from '../../lib/wait-for.ts';
import { agentNode } from '../support/agent-node.ts';
import { cniCaller } from '../support/cni-call.ts';
import { cniNode } from '../support/cni-node.ts';
import { cniPathsOf } from '../support/cni-state.ts';
import { type TestNetns, testNetns } from '../support/netns.ts';

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
    await addLink(node.netns, { name, alias, peer: pod });
  }
  const valid = [{ containerID: 'listed', ifname: 'eth0' }];
  const answer = await node.call({ command: 'GC', config: { 'cni.dev/valid-attachments': valid } });
  assert.deepEqual([answer.exitCode, answer.stdout], [0, '']);
  const links = (): Promise<string> => node.netns.exec('ip', '-o', 'link');
  await waitFor('the lost link to be gone', async () => !(await links()).includes('mgy00000000001'));
  for (const { name, stays } of rows) assert.equal((await links()).includes(name), stays, name);
});

test('STATUS tells why no pod may start here, and GC goes on past what cannot go', async (t) => {
  const node = await agentNode(t, { tableOwner: 'off' });
  await node.store.delete('IPPool', undefined, 'pods');
  await node.start();
  const { call } = cniCaller(cniPathsOf(node));
  const status = async (): Promise<object> => {
    const { exitCode, stdout } = await call({ command: 'STATUS' });
    if (exitCode === 0) return { exitCode, stdout };
    const { code, msg } = JSON.parse(stdout);
    return { code, msg };
  };
  const well = { exitCode: 0, stdout: '' };
  const untilStatus = async (expected: object): Promise<void> => {
    const isSo = async () => isDeepStrictEqual(await status(), expected);
    await waitFor('the status to be as expected', isSo, DEADLINE).catch(async () =>
      assert.deepEqual(await status(), expected),
    );
  };
  const noPool =
    'Cannot attach pods: Cannot assign an IPv4 address: there is none, expected an enabled IPPool of that family';
  await untilStatus({ code: 50, msg: noPool });
  await node.create(POOL);
  await untilStatus(well);

  const [gone, kept] = [await testNetns(t, 'gone'), await testNetns(t, 'kept')];
  for (const [pod, { path: netns }] of Object.entries({ gone, kept })) {
    assert.equal((await call({ command: 'ADD', containerId: pod, netns, pod })).exitCode, 0);
  }
  await addLink(node.netns, { name: 'mgy00000000001', alias: 'margay.lost.eth0', peer: kept });
  // Somebody takes the agent's table, in one step and for good.
  const usurper = node.netns.spawn('nft', ['-i'], { stdio: ['pipe', 'ignore', 'ignore'] });
  t.after(() => usurper.kill('SIGKILL'));
  usurper.stdin?.write('delete table inet margay; add table inet margay { flags owner; }\n');
  const usurped = await waitFor(
    'the rules not to be in force',
    async () => {
      const now = await status();
      return 'code' in now && now;
    },
    DEADLINE,
  );
  assert.equal(usurped.code, 51);
  assert.match(String('msg' in usurped && usurped.msg), /^Cannot attach pods: Cannot .* table "margay": .*\(EPERM\)/);

  const gc = { command: 'GC', config: { 'cni.dev/valid-attachments': [{ containerID: 'kept', ifname: 'eth0' }] } };
  const failed = await call(gc);
  assert.equal(failed.exitCode, 1);
  const { code, msg, details } = JSON.parse(failed.stdout);
  assert.deepEqual([code, msg], [104, 'Cannot remove 1 stale attachments']);
  assert.match(details, /^Cannot detach pod "shop\/gone": rules or routes are left: .*EPERM/);
  const links = (): Promise<string> => node.netns.exec('ip', '-o', 'link');
  await waitFor('the lost link to be gone', async () => !(await links()).includes('mgy00000000001'), DEADLINE);
  assert.match(await gone.exec('ip', '-o', 'link'), /eth0/);

  usurper.stdin?.end();
  await untilStatus(well);
  assert.deepEqual((await call(gc)).stdout, '');
  await waitFor('the pod to be disconnected', async () => !/eth0/.test(await gone.exec('ip', '-o', 'link')), DEADLINE);
  assert.match(await kept.exec('ip', '-o', 'link'), /eth0/);
  assert.equal((await call({ command: 'CHECK', containerId: 'kept', netns: kept.path, pod: 'kept' })).exitCode, 0);
});

const DEADLINE = { timeoutMs: 60_000 };
const POOL = {
  apiVersion: 'projectcalico.org/v3',
  kind: 'IPPool',
  metadata: { name: 'pods' },
  spec: { cidr: '10.244.0.0/16' },
};

async function addLink(
  node: TestNetns,
  { name, alias, peer }: { readonly name: string; readonly alias: string; readonly peer: TestNetns },
): Promise<void> {
  const other = ['peer', 'name', `p${name.slice(-4)}`, 'netns', peer.name];
  await node.exec('ip', 'link', 'add', name, 'type', 'veth', ...other);
  if (alias !== '') await node.exec('ip', 'link', 'set', name, 'alias', alias);
}
