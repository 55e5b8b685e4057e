// Who may read an agent's metrics over TCP.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../../lib/wait-for.ts';
import { agentNode } from '../support/agent-node.ts';
import { margay } from '../support/margay-cli.ts';
import type { TestNetns } from '../support/netns.ts';
import { isolate, NAMESPACE } from './world.ts';

const LISTEN = { address: '198.51.100.11', port: 9179 };

const SCRAPE = `fetch('http://198.51.100.11:9179/metrics', { signal: AbortSignal.timeout(Number(process.argv[1])) })
  .then((answer) => answer.text()).then(console.log)`;

/** Whether metrics came within a second; `patiently`: within ten, on a machine that may be slow. */
const scrapes = async (from: TestNetns, how: 'soon' | 'patiently' = 'soon'): Promise<boolean> =>
  from.exec(process.execPath, '-e', SCRAPE, how === 'soon' ? '1000' : '10000').then(
    (text) => /^margay_/m.test(text),
    () => false,
  );

test('metrics over TCP are for pods only where the configuration says so, and policy lets them', async (t) => {
  const node = await agentNode(t, { metricsListen: LISTEN });
  await node.create(NAMESPACE);
  await node.start();
  const { netns } = await node.addPod('shop', 'prometheus');

  await waitFor('the node to read them', () => scrapes(node.netns, 'patiently'));
  assert.equal(await scrapes(netns), false);
  const words = ['--from', 'shop/prometheus', '--to', LISTEN.address, '--port', `${LISTEN.port}`, '--json'];
  const { stdout } = margay(['policy', 'verdict', '--agent', node.controlSocket, ...words]);
  const { egress, disagreement } = JSON.parse(stdout) as {
    egress: { reason: string };
    disagreement: readonly string[];
  };
  assert.deepEqual({ reason: egress.reason, disagreement }, { reason: 'metrics', disagreement: [] });

  await node.kill();
  node.configure({ metricsListen: { ...LISTEN, openToPods: true } });
  await node.start();
  await waitFor('the pod to read them', () => scrapes(netns, 'patiently'));

  await node.create(isolate('nobody'));
  await waitFor('policy to close them', async () => !(await scrapes(netns)));
  assert.equal(await scrapes(node.netns, 'patiently'), true);
});
