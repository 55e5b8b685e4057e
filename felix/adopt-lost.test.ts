import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Pod, podSchema } from '../datastore/resources/pod.ts';
import { handleOf } from '../ipam/handle.ts';
import { parseIp } from '../lib/ip.ts';
import { hostIfName } from '../lib/linux/if-name.ts';
import { unwrap } from '../lib/result.ts';
import { planAdoption } from './adopt-lost.ts';

const ips = (...texts: string[]) => texts.map((text) => unwrap(parseIp(text)));
const pod = (name: string, podIPs: readonly string[] = [], nodeName = 'node1'): Pod =>
  podSchema.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name, uid: `uid-${name}` },
    spec: { nodeName },
    status: { podIPs: podIPs.map((ip) => ({ ip })) },
  });
const mirror = (pod: Pod, hash: string): Pod => ({
  ...pod,
  metadata: { ...pod.metadata, annotations: { 'kubernetes.io/config.mirror': hash } },
});
const handle = (pod: string) => handleOf({ network: 'margay', containerId: `c-${pod}`, ifName: 'eth0' });
const link = (pod: string, ...addresses: string[]) => ({
  name: hostIfName('shop', pod),
  alias: handle(pod),
  ips: ips(...addresses),
});
const adopted = (pod: string, addresses: string[], uid?: string) => ({
  handle: handle(pod),
  namespace: 'shop',
  pod,
  ...(uid === undefined ? {} : { uid }),
  ips: addresses,
  netns: '',
  hostIfName: hostIfName('shop', pod),
  state: 'attached',
});

const rows = [
  { name: 'nothing', links: [], pods: [pod('web')], adopt: [], unidentified: [] },
  {
    name: 'a pod whose route and status agree',
    links: [link('web', '10.244.1.7', 'fd00:10:244::7')],
    pods: [pod('web', ['10.244.1.7', 'fd00:10:244::7'])],
    adopt: [adopted('web', ['10.244.1.7', 'fd00:10:244::7'], 'uid-web')],
    unidentified: [],
  },
  {
    name: 'a static pod, by what the runtime knows it by',
    links: [link('web', '10.244.1.7')],
    pods: [mirror(pod('web', ['10.244.1.7']), 'hash')],
    adopt: [adopted('web', ['10.244.1.7'], 'hash')],
    unidentified: [],
  },
  {
    name: 'a pod without status, by its route',
    links: [link('web', '10.244.1.7')],
    pods: [pod('web')],
    adopt: [adopted('web', ['10.244.1.7'])],
    unidentified: [],
  },
  {
    name: 'a pod whose route is gone, by its status',
    links: [link('web')],
    pods: [pod('web', ['10.244.1.7'])],
    adopt: [adopted('web', ['10.244.1.7'], 'uid-web')],
    unidentified: [],
  },
  {
    name: 'an earlier pod of the name: the kernel is right, the uid is not',
    links: [link('web', '10.244.1.7')],
    pods: [pod('web', ['10.244.1.8'])],
    adopt: [adopted('web', ['10.244.1.7'])],
    unidentified: [],
  },
  {
    name: 'a link of no pod here',
    links: [link('web', '10.244.1.7')],
    pods: [pod('web', ['10.244.1.7'], 'node2')],
    adopt: [{ ...adopted('web', ['10.244.1.7']), namespace: '', pod: '', state: 'assigned' }],
    unidentified: [],
  },
  {
    name: 'a container without a pod',
    links: [{ ...link('web', '10.244.1.7'), name: hostIfName('margay-containers', 'c-web') }],
    pods: [],
    adopt: [
      {
        ...adopted('web', ['10.244.1.7']),
        ...{ namespace: 'margay-containers', pod: 'c-web', hostIfName: hostIfName('margay-containers', 'c-web') },
      },
    ],
    unidentified: [],
  },
  {
    name: 'a link that nobody signed',
    links: [{ ...link('web', '10.244.1.7'), alias: undefined }],
    pods: [pod('web')],
    adopt: [],
    unidentified: ['it is not signed'],
  },
  {
    name: 'a link without any address',
    links: [link('web')],
    pods: [pod('web')],
    adopt: [],
    unidentified: ['nothing says which address it has'],
  },
];

for (const { name, links, pods, adopt, unidentified } of rows) {
  test(`planAdoption() of ${name}`, () => {
    const plan = planAdoption({ node: 'node1', links, pods, known: new Set() });
    assert.deepEqual(plan.adopt, adopt);
    assert.deepEqual(
      plan.unidentified.map(({ why }) => why),
      unidentified,
    );
  });
}

test('planAdoption() tells the address of a link that nobody signed by its pod when the route is gone', () => {
  const links = [{ ...link('web'), alias: undefined }];
  const { unidentified } = planAdoption({ node: 'node1', links, pods: [pod('web', ['10.244.1.7'])], known: new Set() });
  assert.deepEqual(
    unidentified.map(({ ips: kept }) => kept),
    [['10.244.1.7']],
  );
});

test('planAdoption() leaves alone what the journal knows', () => {
  const plan = planAdoption({
    node: 'node1',
    links: [link('web', '10.244.1.7')],
    pods: [pod('web')],
    known: new Set([handle('web')]),
  });
  assert.deepEqual(plan, { adopt: [], unidentified: [] });
});
