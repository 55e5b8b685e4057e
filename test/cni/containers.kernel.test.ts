// Containers of runtimes that know no pods, as cnitool and nerdctl call us: without a word about Kubernetes.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { pings, reaches } from '../agent/world.ts';
import { agentNode } from '../support/agent-node.ts';
import { type CniOutcome, cniCaller } from '../support/cni-call.ts';
import { cniPathsOf } from '../support/cni-state.ts';
import { type TestNetns, testNetns } from '../support/netns.ts';

const DEADLINE = { timeoutMs: 60_000 };

test('containers without a pod are attached, talk, and obey policy', async (t) => {
  const node = await agentNode(t);
  await node.start();
  const { call } = cniCaller(cniPathsOf(node));
  const [web, client] = [await testNetns(t, 'web'), await testNetns(t, 'client')];
  // An id that no pod could have, and the IP= that nerdctl sends without --ip.
  const ids = {
    web: { containerId: 'cnitool-77383CA0_x', netns: web.path, environment: { CNI_ARGS: 'IgnoreUnknown=1;IP=' } },
    client: { containerId: 'f'.repeat(64), netns: client.path },
  };
  const added = JSON.parse(succeeded(await call({ command: 'ADD', ...ids.web })));
  succeeded(await call({ command: 'ADD', ...ids.client }));
  const ip: string = added.ips[0].address.split('/')[0];
  assert.equal(await reaches(client, ip), true);
  assert.equal(await reaches(node.netns, ip), true);
  const check = { command: 'CHECK', ...ids.web, config: { prevResult: added } };
  assert.equal(succeeded(await call(check)), '');
  assert.equal(codeOf(await call({ command: 'ADD', ...ids.web })), 100);
  assert.equal(codeOf(await call({ command: 'ADD', ...ids.web, ifName: 'eth1' })), 100);

  await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'margay-containers' } });
  await node.create({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace: 'margay-containers', name: 'closed' },
    spec: { podSelector: {}, policyTypes: ['Ingress'] },
  });
  await waitFor('the policy to hold', async () => !(await pings(client, ip)), DEADLINE);
  // Also over a start of the agent, and for one that comes later.
  await node.kill();
  await node.start();
  assert.equal(await pings(client, ip), false);
  assert.equal(succeeded(await call(check)), '');
  await node.store.delete('NetworkPolicy', 'margay-containers', 'closed');
  await waitFor('the containers to talk again', () => pings(client, ip), DEADLINE);

  // A pod that says so and is not known is closed, as ever.
  const unknown = await (await node.sandbox('shop', 'unknown')).add();
  assert.equal(await pings(unknown.netns, ip), false);

  succeeded(await call({ command: 'DEL', ...ids.web }));
  succeeded(await call({ command: 'DEL', ...ids.web }));
  await gone(web);
  assert.match(await client.exec('ip', '-o', 'link'), /eth0/);
  const again = JSON.parse(succeeded(await call({ command: 'ADD', ...ids.web })));
  assert.equal(await reaches(client, again.ips[0].address.split('/')[0]), true);
  const valid = [{ containerID: ids.web.containerId, ifname: 'eth0' }];
  succeeded(await call({ command: 'GC', config: { 'cni.dev/valid-attachments': valid } }));
  await gone(client);
  assert.match(await web.exec('ip', '-o', 'link'), /eth0/);
});

test('calls for one container without a pod follow each other', async (t) => {
  const node = await agentNode(t);
  await node.start();
  const { call } = cniCaller(cniPathsOf(node));
  const [first, second] = [await testNetns(t, 'first'), await testNetns(t, 'second')];
  // Two networks of one container share the name of its link: one of them gets it.
  const answers = await Promise.all(
    [first, second].map(({ path }, n) =>
      call({ command: 'ADD', containerId: 'c1', netns: path, config: { name: `network-${n}` } }),
    ),
  );
  assert.deepEqual(answers.map(({ exitCode }) => exitCode).toSorted(), [0, 1]);
  const refused = answers.find(({ exitCode }) => exitCode === 1);
  assert.match(refused?.stdout ?? '', /"code":100,.*the container has \\"eth0\\" of network \\"network-\d\\"/);
});

const gone = (pod: TestNetns): Promise<unknown> =>
  waitFor('the link to go', async () => !/eth0/.test(await pod.exec('ip', '-o', 'link')), DEADLINE);

function succeeded({ exitCode, stdout }: CniOutcome): string {
  assert.equal(exitCode, 0, stdout);
  return stdout;
}

function codeOf({ exitCode, stdout }: CniOutcome): number {
  assert.equal(exitCode, 1, stdout);
  return JSON.parse(stdout).code;
}
