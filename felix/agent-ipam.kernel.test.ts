// What the cluster's objects make of the addresses that real pods get.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { waitFor } from '../lib/wait-for.ts';
import { agentNode } from '../test/support/agent-node.ts';
import { ipamViewOf } from '../test/support/cni-state.ts';

const pool = (name: string, cidr: string, spec: object = {}) => ({
  apiVersion: 'projectcalico.org/v3',
  kind: 'IPPool',
  metadata: { name },
  spec: { cidr, ...spec },
});
const namespace = (name: string, annotations: Record<string, string> = {}, labels: Record<string, string> = {}) => ({
  apiVersion: 'v1',
  kind: 'Namespace',
  metadata: { name, annotations, labels },
});

test('pools by annotation of the pod, of the namespace, and by selectors', async (t) => {
  const node = await agentNode(t);
  await node.store.delete('IPPool', undefined, 'pods');
  await node.create(pool('blue', '10.244.0.0/16', { nodeSelector: "kubernetes.io/os == 'none'" }));
  await node.create(pool('green', '10.245.0.0/16', { namespaceSelector: "team in {'green'}", blockSize: 30 }));
  await node.create(pool('named', '10.246.0.0/16', { assignmentMode: 'Manual' }));
  await node.create(pool('plain', '10.247.0.0/16', { namespaceSelector: '!has(team)' }));
  await node.create({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPReservation',
    metadata: { name: 'first' },
    spec: { reservedCIDRs: ['10.247.0.0/17', '10.247.128.0/18', '10.247.192.0/19', '10.247.224.0/20'] },
  });
  await node.create(namespace('plain'));
  await node.create(namespace('green', {}, { team: 'green' }));
  await node.create(namespace('blue', { 'cni.projectcalico.org/ipv4pools': '["blue"]' }, { team: 'green' }));
  await node.start();
  const pod = async (inside: string, name: string, annotations: Record<string, string> = {}): Promise<string> => {
    await node.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: inside, name, annotations },
      spec: { nodeName: 'node1' },
    });
    return (await (await node.sandbox(inside, name)).add()).ip;
  };
  assert.match(await pod('plain', 'a'), /^10\.247\.(24\d|25\d)\./, 'not reserved');
  assert.match(await pod('green', 'b'), /^10\.245\./);
  assert.match(await pod('blue', 'c'), /^10\.244\./, 'the annotation goes before the selector');
  const named = { 'cni.projectcalico.org/ipv4pools': '["10.246.0.0/16"]' };
  assert.match(await pod('blue', 'd', named), /^10\.246\./, 'the pod goes before its namespace');
  await assert.rejects(
    pod('plain', 'e', { 'cni.projectcalico.org/ipv4pools': '["nowhere"]' }),
    /IPPool \\"nowhere\\": there is none of this name or CIDR/,
  );
});

test('live pods keep address and route when their pool is disabled, which can be neither shrunk nor deleted', async (t) => {
  const node = await agentNode(t);
  await node.create(namespace('shop'));
  await node.start();
  const live = await node.addPod('shop', 'live');
  const isReached = () => node.netns.exec('ping', '-c1', '-W10', live.ip);
  const found = (await node.store.get('IPPool', undefined, 'pods')) ?? assert.fail('no pool');
  const update = (spec: object) => node.store.update({ ...found, spec: { ...found.spec, ...spec } });

  await assert.rejects(update({ cidr: '10.244.0.0/17' }), /expected "10\.244\.0\.0\/16" because it cannot change/);
  await assert.rejects(update({ blockSize: 26 }), /expected 24 because it cannot change/);
  await assert.rejects(node.store.delete('IPPool', undefined, 'pods'), /1 block is cut from it/);
  await update({ disabled: true });
  let tries = 0;
  const refused = /IPPool \\"pods\\": spec\.disabled is true/;
  await waitFor('the pool to be out of service', async () => {
    const outcome = await node.addPod('shop', `new${tries++}`).catch((error: Error) => error);
    return outcome instanceof Error && refused.test(outcome.message);
  });
  await isReached();
  await node.kill();
  await node.start();
  await isReached();
  const { assignments, links } = await ipamViewOf(node);
  const kept = assignments.find(({ assignment }) => assignment.pod === 'live')?.assignment;
  assert.deepEqual(kept?.ips, [live.ip]);
  assert.deepEqual(links.find(({ handle }) => handle === kept?.handle)?.ips, [live.ip]);
});

test('a pool for some namespaces gives their pods its family, whatever others get', async (t) => {
  for (const forAll of [true, false]) {
    const node = await agentNode(t);
    if (!forAll) await node.store.delete('IPPool', undefined, 'pods');
    await node.create(pool('six', 'fd00:10:244::/48', { namespaceSelector: 'has(six)' }));
    await node.create(namespace('both', {}, { six: 'yes' }));
    await node.create(namespace('four'));
    await node.start();
    const addresses = async (inside: string, name: string): Promise<string> => {
      await node.create({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { namespace: inside, name },
        spec: { nodeName: 'node1' },
      });
      const { netns } = await (await node.sandbox(inside, name)).add();
      const shown = await netns.exec('ip', '-o', 'address', 'show', 'dev', 'eth0', 'scope', 'global');
      return [...shown.matchAll(/ inet6? ([^/ ]+)/g)].map(([, ip]) => ip).join(' ');
    };
    assert.match(await addresses('both', 'b'), forAll ? /^10\.244\.\S+ fd00:10:244:\S+$/ : /^fd00:10:244:\S+$/);
    if (forAll) assert.match(await addresses('four', 'a'), /^10\.244\.\S+$/);
    else await assert.rejects(addresses('four', 'a'), /none serves this pod|there is none/);
  }
});
