// An IPBlock that somebody deletes, or gives to another node, under a running agent: what pods get, and what a router hears.
import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'node:test';
import { ipBlockName } from '../../datastore/resources/ip-block.ts';
import { type Cidr, cidrContains, parseCidr } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { startAgentGobgpd } from '../support/agent-gobgpd.ts';
import { agentNode, type TestPod } from '../support/agent-node.ts';
import { testNetns } from '../support/netns.ts';
import { startBird } from '../support/tor-router.ts';

const TOR = unwrap(parseIp('198.51.100.254'));
const WAIT = { timeoutMs: 60_000 };
const isIn = (block: Cidr, { ip }: TestPod): boolean => cidrContains(block, unwrap(parseIp(ip)));

test('a node assigns and advertises what the datastore gives to it, and no more', async (t) => {
  const node = await agentNode(t);
  const tor = await testNetns(t, 'tor');
  await node.netns.exec('ip', 'link', 'set', 'uplink', 'netns', tor.name);
  await tor.exec('ip', 'address', 'add', `${TOR}/24`, 'dev', 'uplink');
  await tor.exec('ip', 'link', 'set', 'uplink', 'up');
  startAgentGobgpd(node);
  const folder = join(dirname(node.controlSocket), 'tor');
  mkdirSync(folder);
  startBird(
    { name: 'tor', address: TOR, netns: tor, folder },
    { asn: 64600, nodeAsn: 64512, nodes: ['198.51.100.11'] },
  );
  await node.create({
    apiVersion: 'projectcalico.org/v3',
    kind: 'BGPPeer',
    metadata: { name: 'tor' },
    spec: { peerIP: TOR, asNumber: 64600 },
  });
  await node.start();
  const first = await node.addPod('shop', 'first');
  const objects = async () => (await node.store.list('IPBlock')).items;
  const heard = async (): Promise<readonly string[]> => {
    const routes: readonly { dst: string }[] = JSON.parse(await tor.exec('ip', '-j', 'route', 'show', 'proto', 'bird'));
    return routes.map(({ dst }) => dst).filter((dst) => dst !== 'default');
  };
  const [object] = await objects();
  assert.ok(object);
  const block = object.spec.cidr;
  await waitFor('the router to hear of the block', async () => (await heard()).includes(block), WAIT);

  await node.store.delete('IPBlock', undefined, ipBlockName(block));
  await waitFor('the block to be there again', async () => (await objects())[0]?.spec.node === 'node1', WAIT);
  const second = await node.addPod('shop', 'second');
  assert.ok(isIn(block, second), second.ip);
  await waitFor('the router to hear of the block alone', async () => (await heard()).join() === block, WAIT);

  const [again] = await objects();
  assert.ok(again);
  await node.store.update({ ...again, spec: { ...again.spec, node: 'node2' } });
  const isGivenUp = async (): Promise<boolean> => {
    const routes = await heard();
    return !routes.includes(block) && [first, second].every(({ ip }) => routes.includes(ip));
  };
  await waitFor('the router to hear of the pods in place of the block', isGivenUp, WAIT);
  const third = await node.addPod('shop', 'third');
  assert.ok(!isIn(block, third), third.ip);
  const blocks = (await node.status())['blocks'] as readonly string[];
  assert.deepEqual(
    blocks.map((text) => isIn(unwrap(parseCidr(text)), third)),
    [true],
  );
  const isSaid = (): boolean => /A pod has an address of a block of another node/.test(node.log());
  await waitFor('the log to say so', isSaid, WAIT);
});
