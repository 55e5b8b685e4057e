// The journal is lost while pods run.
import assert from 'node:assert/strict';
import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { waitFor } from '../lib/wait-for.ts';
import { pings, reaches } from '../test/agent/world.ts';
import { agentNode } from '../test/support/agent-node.ts';
import { cniCaller } from '../test/support/cni-call.ts';
import { cniPathsOf, ipamViewOf } from '../test/support/cni-state.ts';
import { testNetns } from '../test/support/netns.ts';

test('live pods keep routes and policy when the journal is lost, and DEL frees them', async (t) => {
  const node = await agentNode(t);
  const state = join(dirname(dirname(node.controlSocket)), 'state');
  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await node.create({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: 'shop', name: 'only-web' },
    spec: {
      podSelector: { matchLabels: { app: 'db' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }],
    },
  });
  await node.start();
  const db = await node.addPod('shop', 'db', { app: 'db' });
  const web = await node.addPod('shop', 'web', { app: 'web' });
  const other = await node.addPod('shop', 'other', { app: 'other' });
  const unknown = await (await node.sandbox('shop', 'unknown')).add();
  const addAt = async (name: string, ip: string) => {
    const annotations = { 'cni.projectcalico.org/ipAddrs': JSON.stringify([ip]) };
    const metadata = { namespace: 'shop', name, annotations };
    await node.create({ apiVersion: 'v1', kind: 'Pod', metadata, spec: { nodeName: 'node1' } });
    return (await node.sandbox('shop', name)).add();
  };
  const check = async (when: string): Promise<void> => {
    assert.equal(await reaches(web.netns, db.ip), true, `${when}: allowed`);
    assert.equal(await pings(other.netns, db.ip), false, `${when}: denied`);
  };
  await check('at first');

  for (const lose of ['removed', 'garbage']) {
    await node.kill();
    for (const file of readdirSync(state)) {
      if (file.startsWith('journal.db')) rmSync(join(state, file));
    }
    if (lose === 'garbage') writeFileSync(join(state, 'journal.db'), 'x'.repeat(10_000));
    await node.start();
    await check(lose);
    const fresh = await node.addPod('shop', `fresh-${lose}`);
    // A pod that nobody can name loses its route, so that a second loss would not find its address any more.
    const live = lose === 'removed' ? [db, web, other, unknown] : [db, web, other];
    assert.ok(!live.some(({ ip }) => ip === fresh.ip), 'no address is given twice');
  }

  const keptOut = async () => (await ipamViewOf(node)).keptOut;
  assert.deepEqual(await keptOut(), [], 'those that could be written down have their addresses in the journal');
  assert.equal((await web.cni('DEL')).code, 0);
  await waitFor('the link to go', async () => !(await node.netns.exec('ip', 'link')).includes(web.hostIfName));
  assert.doesNotMatch(await node.netns.exec('ip', 'route'), new RegExp(`${web.ip} `));
  assert.equal((await unknown.cni('DEL')).code, 0, 'one that could not be named');
  await waitFor('the link to go', async () => !(await node.netns.exec('ip', 'link')).includes(unknown.hostIfName));
  assert.equal((await addAt('again', web.ip)).ip, web.ip, 'the address of a pod that was taken up');

  // A link that nobody signed: nothing can be written down, and its address is kept out as long as it is there.
  await node.kill();
  await node.netns.exec('ip', 'link', 'set', other.hostIfName, 'alias', '');
  for (const file of readdirSync(state)) if (file.startsWith('journal.db')) rmSync(join(state, file));
  await node.start();
  assert.deepEqual(await keptOut(), [other.ip]);
  await assert.rejects(addAt('early', other.ip), /an interface without an assignment/);
  await node.netns.exec('ip', 'link', 'delete', other.hostIfName);
  await waitFor('its address to be let in', async () => (await keptOut()).length === 0);
  assert.equal((await addAt('late', other.ip)).ip, other.ip);
});

test('a lost journal is not made good from a datastore that was emptied', async (t) => {
  const node = await agentNode(t);
  const state = join(dirname(dirname(node.controlSocket)), 'state');
  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } });
  await node.start();
  const web = await node.addPod('shop', 'web');
  assert.equal(await reaches(node.netns, web.ip), true);
  await node.kill();
  for (const file of readdirSync(state)) if (file.startsWith('journal.db')) rmSync(join(state, file));
  const saved = [
    ...(await node.store.list('Pod')).items,
    ...(await node.store.list('IPBlock')).items,
    ...(await node.store.list('Node')).items,
  ];
  for (const { kind, metadata } of saved) {
    await node.store.delete(kind, kind === 'Pod' ? 'shop' : undefined, metadata.name);
  }

  node.launch();
  const looked = /took up a pod of a lost journal|take up the pods of a lost journal/;
  await waitFor('the agent to look for lost pods', () => looked.test(node.log()), { timeoutMs: 30_000 });
  for (const { metadata, ...rest } of saved) {
    const { resourceVersion: _, ...kept } = metadata;
    await node.store.create({ ...rest, metadata: kept } as (typeof saved)[number]);
  }
  const isReady = async () => (await node.status().catch(() => ({ ready: false })))['ready'] === true;
  await waitFor('the agent to be ready', isReady, { timeoutMs: 30_000 });
  assert.equal(await reaches(node.netns, web.ip), true);
  const { assignments } = await ipamViewOf(node);
  assert.deepEqual(
    assignments.map(({ assignment: { pod, ips } }) => [pod, ...ips]),
    [['web', web.ip]],
  );
});

test('a container that was taken up after a lost journal is not attached twice', async (t) => {
  const node = await agentNode(t);
  const state = join(dirname(dirname(node.controlSocket)), 'state');
  await node.start();
  const { call } = cniCaller(cniPathsOf(node));
  const netns = await testNetns(t, 'web');
  const web = { command: 'ADD', containerId: 'c1', netns: netns.path };
  const added = JSON.parse((await call(web)).stdout);
  const ip: string = added.ips[0].address.split('/')[0];
  await node.kill();
  for (const file of readdirSync(state)) if (file.startsWith('journal.db')) rmSync(join(state, file));
  await node.start();
  for (const ifName of ['eth1', 'eth0']) {
    const { exitCode, stdout } = await call({ ...web, ifName });
    assert.equal(exitCode, 1, ifName);
    assert.equal(JSON.parse(stdout).code, 100, stdout);
    assert.equal(await reaches(node.netns, ip), true, ifName);
  }
});
