import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type IpBlock, ipBlockName, ipBlockSchema } from '../../datastore/resources/ip-block.ts';
import { nodeSchema } from '../../datastore/resources/node.ts';
import { type Pod, podSchema } from '../../datastore/resources/pod.ts';
import { parseCidr } from '../../lib/cidr.ts';
import { unwrap } from '../../lib/result.ts';
import { handleOf } from '../handle.ts';
import { type IpamView, ipamViewSchema } from '../view.ts';
import { type CheckInput, checkIpam, type Sandbox } from './check.ts';

const CIDR = '10.244.1.0/24';
const block = (cidr = CIDR, spec: object = {}): IpBlock =>
  ipBlockSchema.parse({
    apiVersion: 'margay.dev/v1alpha1',
    kind: 'IPBlock',
    metadata: { name: ipBlockName(unwrap(parseCidr(cidr))), resourceVersion: '5' },
    spec: { cidr, pool: 'p', node: 'one', nodeUid: 'u1', ...spec },
  });
const node = (name: string, uid: string) =>
  nodeSchema.parse({ apiVersion: 'v1', kind: 'Node', metadata: { name, uid } });
const pod = (ip: string, name = 'web'): Pod =>
  podSchema.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name },
    spec: { nodeName: 'one' },
    status: { podIPs: [{ ip }] },
  });
const assigned = (ip: string, netnsExists = true) => ({
  assignment: {
    handle: `net.${ip}.eth0`,
    ...{ namespace: 'shop', pod: 'web', ips: [ip], netns: '/run/netns/web', hostIfName: 'mgy0', sequence: 3 },
    ...{ assignedAt: '2026-01-01T00:00:00.000Z', state: 'attached' },
  },
  netnsExists,
});
const link = (ip: string) => ({ name: 'mgy0', handle: `net.${ip}.eth0`, ips: [ip] });
const view = (more: object = {}): IpamView =>
  ipamViewSchema.parse({
    node: 'one',
    blocks: [{ cidr: CIDR, pool: 'p', size: 256, used: 1, cooling: 0 }],
    assignments: [assigned('10.244.1.7')],
    links: [link('10.244.1.7')],
    keptOut: [],
    ...more,
  });
const sound: CheckInput = { views: [view()], blocks: [block()], pods: [pod('10.244.1.7')], nodes: [node('one', 'u1')] };
const others = [node('two', 'u2')];
const addressRelease = { kind: 'address', node: 'one', handle: 'net.10.244.1.7.eth0', sequence: 3 };
const blockRelease = { kind: 'block', block: '10-244-1-0-24', version: '5' };

/** The container of `assigned()`: the second part of its handle. */
const sandbox = (more: Partial<Sandbox> = {}): Sandbox => ({
  ...{ id: '10', namespace: 'shop', pod: 'web', isAttached: true, ips: ['10.244.1.7'] },
  ...more,
});
const runtimes = (...sandboxes: Sandbox[]) => ({ runtimes: new Map([['one', sandboxes]]) });

test('checkIpam() finds nothing wrong with a container that is no pod', () => {
  const { assignment, netnsExists } = assigned('10.244.1.8');
  const container = { ...assignment, namespace: 'margay-containers', pod: '10', sequence: 4 };
  const views = (exists: boolean) => [
    view({
      assignments: [assigned('10.244.1.7'), { assignment: container, netnsExists: exists }],
      links: [link('10.244.1.7'), link('10.244.1.8')],
    }),
  ];
  assert.deepEqual(checkIpam({ ...sound, views: views(netnsExists) }), []);
  // The runtime of the pods does not know it.
  assert.deepEqual(checkIpam({ ...sound, ...runtimes(sandbox()), views: views(true) }), []);
});

const rows: { name: string; given: Partial<CheckInput>; kind: string; release?: object }[] = [
  {
    name: 'an address whose link and namespace are gone',
    given: { views: [view({ links: [], assignments: [assigned('10.244.1.7', false)] })] },
    kind: 'leaked-address',
    release: addressRelease,
  },
  {
    name: 'an attached address without a link',
    given: { views: [view({ links: [] })] },
    kind: 'address-without-link',
  },
  {
    name: 'an address whose container the runtime does not have, but the kernel a link',
    given: runtimes(),
    kind: 'leaked-address',
  },
  {
    name: 'an address of which only the network namespace is left',
    given: { ...runtimes(), views: [view({ links: [] })] },
    kind: 'leaked-address',
    release: addressRelease,
  },
  {
    name: 'a container without an address',
    given: runtimes(sandbox(), sandbox({ id: 'x', pod: 'db' })),
    kind: 'sandbox-without-address',
  },
  {
    name: 'a container with another address',
    given: runtimes(sandbox({ ips: ['10.244.1.9'] })),
    kind: 'runtime-differs',
  },
  {
    name: 'a link that the journal does not know',
    given: { views: [view({ assignments: [] })] },
    kind: 'link-without-assignment',
  },
  {
    name: 'an address outside the blocks',
    given: { views: [view({ blocks: [] })], blocks: [] },
    kind: 'address-outside-blocks',
  },
  { name: 'another address in the status', given: { pods: [pod('10.244.1.8')] }, kind: 'status-differs' },
  {
    name: 'a Pod that runs without an address',
    given: { pods: [pod('10.244.1.7'), pod('10.244.1.9', 'db')] },
    kind: 'pod-without-address',
  },
  { name: 'an attachment without Pod', given: { pods: [] }, kind: 'pod-unknown' },
  { name: 'a kept out address', given: { views: [view({ keptOut: ['10.244.1.9'] })] }, kind: 'kept-out' },
  {
    name: 'a block that another node has',
    given: { blocks: [block(CIDR, { node: 'two' })], nodes: [node('one', 'u1'), node('two', 'u2')] },
    kind: 'block-not-granted',
  },
  {
    name: 'a block of a vanished node',
    given: { views: [], pods: [], nodes: others },
    kind: 'block-of-no-node',
    release: blockRelease,
  },
  {
    name: 'a block of a vanished node where a Pod cannot be read',
    given: { views: [], pods: [], nodes: others, unreadable: new Set(['Pod/shop/web']) },
    kind: 'block-of-no-node',
  },
  {
    name: 'a block of a datastore without Nodes',
    given: { views: [], pods: [], nodes: [] },
    kind: 'block-of-no-node',
  },
  {
    name: 'a block of a vanished node whose pods are still known',
    given: { views: [], nodes: others },
    kind: 'block-of-no-node',
  },
  {
    name: 'a block of an earlier node of the name',
    given: { views: [view({ blocks: [], assignments: [], links: [] })], pods: [], nodes: [node('one', 'u2')] },
    kind: 'block-of-earlier-node',
    release: blockRelease,
  },
  ...(
    [
      ['an assignment', { blocks: [], links: [] }],
      ['a link', { blocks: [], assignments: [] }],
      ['an address kept out', { blocks: [], assignments: [], links: [], keptOut: ['10.244.1.9'] }],
      ['the block itself', { assignments: [], links: [] }],
    ] as const
  ).map(([what, given]) => ({
    name: `a block of a vanished node whose agent still has ${what}`,
    given: { views: [view(given)], pods: [], nodes: others },
    kind: 'block-of-no-node',
  })),
  {
    name: 'a block of an earlier node of the name that another agent holds',
    given: {
      views: [view({ blocks: [], assignments: [], links: [] })],
      blocks: [block(CIDR, { holder: { journal: 'j', bootId: 'b', netns: '1' } })],
      pods: [],
      nodes: [node('one', 'u2')],
    },
    kind: 'block-of-other-agent',
  },
  {
    name: 'a block of an earlier node of the name of which another agent has a link',
    given: {
      views: [view({ blocks: [], assignments: [], links: [] }), view({ node: 'two', blocks: [], assignments: [] })],
      pods: [],
      nodes: [node('one', 'u2')],
    },
    kind: 'block-of-earlier-node',
  },
  {
    name: 'a block of an earlier node of the name whose agent does not answer',
    given: { views: [], pods: [], nodes: [node('one', 'u2')] },
    kind: 'block-of-earlier-node',
  },
  {
    name: 'a block that its node does not know',
    given: { views: [view({ blocks: [], assignments: [], links: [] })], pods: [] },
    kind: 'block-not-held',
  },
  {
    name: 'a block that another agent of the name has',
    given: {
      views: [
        view(),
        view({ ...{ blocks: [], assignments: [], links: [] }, stranded: [{ cidr: CIDR, why: 'not mine' }] }),
      ],
    },
    kind: 'block-of-other-agent',
  },
  { name: 'an agent that does not answer', given: { views: [] }, kind: 'not-checked' },
];

for (const { name, given, kind, release } of rows) {
  test(`checkIpam() finds ${name}`, () => {
    const findings = checkIpam({ ...sound, ...given });
    const found = findings.find((each) => each.kind === kind);
    assert.ok(found, JSON.stringify(findings));
    assert.deepEqual(found.release, release);
  });
}

test('checkIpam() does not take what cannot be read for what is not there', () => {
  const unreadable = new Set(['Node/one', 'Pod/shop/web', 'IPBlock/10-244-1-0-24'] as const);
  const { views, blocks } = sound;
  assert.deepEqual(checkIpam({ views, blocks, pods: [], nodes: others, unreadable }), []);
  const without = checkIpam({ ...sound, blocks: [], unreadable });
  assert.deepEqual(
    without.map(({ why }) => why),
    ['block 10.244.1.0/24 is used by node "one": the datastore says its IPBlock cannot be read'],
  );
  assert.deepEqual(
    checkIpam({ views: [], blocks, pods: [], nodes: others, unreadable }).map(({ why }) => why),
    ['node "one": its agent was not asked, or does not answer'],
  );
});

test('checkIpam() finds an address leaked though a later container has its network namespace', () => {
  const attached = (containerId: string, ip: string, sequence: number) => {
    const handle = handleOf({ network: 'net', containerId, ifName: 'eth0' });
    return { assignment: { ...assigned(ip).assignment, handle, sequence }, netnsExists: true };
  };
  const assignments = [attached('a', '10.244.1.7', 3), attached('b', '10.244.1.8', 4)];
  const handle = handleOf({ network: 'net', containerId: 'b', ifName: 'eth0' });
  const findings = checkIpam({
    ...sound,
    views: [view({ assignments, links: [{ ...link('10.244.1.8'), handle }] })],
  });
  const { release } = findings.find(({ kind }) => kind === 'leaked-address') ?? {};
  assert.deepEqual(release, { ...addressRelease, handle: 'net.a.eth0' });
});

test('checkIpam() offers no address that a link has, signed or not', () => {
  const unsigned = { name: 'mgy0', ips: ['10.244.1.7'] };
  const findings = checkIpam({
    ...sound,
    views: [view({ links: [unsigned], assignments: [assigned('10.244.1.7', false)] })],
  });
  assert.deepEqual(
    findings.map(({ kind, release }) => [kind, release]),
    [['link-without-assignment', undefined]],
  );
});

test('checkIpam() finds nothing where all agree, nor a block of one node twice', () => {
  assert.deepEqual(checkIpam(sound), []);
  // One that has ended holds its address until it is removed; one in the node's network has none.
  for (const known of [sandbox(), sandbox({ isAttached: false, ips: [] })]) {
    const others = sandbox({ id: 'x', isAttached: false, ips: [] });
    assert.deepEqual(checkIpam({ ...sound, ...runtimes(known, others) }), []);
  }
  // Neither has, or needs, an address of ours.
  const idle = pod('10.244.1.9', 'db');
  for (const other of [
    { ...idle, status: { ...idle.status, phase: 'Succeeded' as const } },
    { ...idle, metadata: { ...idle.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } },
    { ...idle, spec: { ...idle.spec, hostNetwork: true } },
    { ...idle, spec: { ...idle.spec, nodeName: 'two' } },
    pod('192.0.2.9', 'db'),
  ]) {
    assert.deepEqual(checkIpam({ ...sound, pods: [...sound.pods, other] }), []);
  }
  // Machines that share a name: the pod is in one journal, and in none is told once.
  const namesake = view({ blocks: [], assignments: [], links: [] });
  const pods = [...sound.pods, pod('10.244.1.9', 'db')];
  for (const views of [
    [view(), namesake],
    [namesake, view()],
  ]) {
    assert.deepEqual(checkIpam({ ...sound, views }), []);
    assert.deepEqual(
      checkIpam({ ...sound, views, pods }).map(({ kind }) => kind),
      ['pod-without-address'],
    );
  }
  const two = view({ node: 'two', blocks: [], links: [link('10.244.1.7')] });
  const findings = checkIpam({ ...sound, views: [view(), two], nodes: [...sound.nodes, node('two', 'u2')] });
  assert.match(
    findings.map(({ why }) => why).join('\n'),
    /10\.244\.1\.7: pod "shop\/web" on node "one" has it, and pod "shop\/web" on node "two"/,
  );
});
