// Looks at a real journal, while the tables below say what kernel and datastore show.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { pino } from 'pino';
import type { ResourceKey } from '../datastore/resources/index.ts';
import { type Pod, podSchema } from '../datastore/resources/pod.ts';
import type { Assignment } from '../ipam/assignment.ts';
import { type Handle, handleOf } from '../ipam/handle.ts';
import { ok } from '../lib/result.ts';
import { ipamWorld, ipPool, podRequest } from '../test/support/ipam-world.ts';
import { createLeakSweep } from './leak-sweep.ts';

const GRACE_MS = 1000;

const podObject = (uid: string, ...ips: string[]): Pod =>
  podSchema.parse({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name: 'web', uid },
    spec: { nodeName: 'node-1' },
    status: { podIPs: ips.map((ip) => ({ ip })) },
  });

async function world(t: TestContext) {
  const pools = [ipPool('p', '10.244.0.0/16')];
  const ipam = await (await ipamWorld(t, pools)).open('node-1', { pools: () => pools });
  const links = new Map<Handle | string, Assignment | undefined>();
  const interfaces = new Set<string>();
  const pods = new Map<ResourceKey | string, Pod>();
  const settings = { graceMs: GRACE_MS as number | undefined, storeProblem: undefined as string | undefined };
  const sweep = createLeakSweep({
    ipam,
    wiring: {
      wired: () => [...links.values()].flatMap((each) => (each === undefined ? [] : [each])),
      isWired: ({ netns }) => interfaces.has(netns),
    },
    view: () => ({
      assignments: ipam.assignments().map((assignment) => ({ assignment, netnsExists: true })),
      links: [...links].map(([name, each]) =>
        each === undefined
          ? { name: 'mgy0', ips: ipam.assignments().flatMap(({ handle, ips }) => (handle === name ? ips : [])) }
          : { name: each.hostIfName, handle: each.handle, ips: [...each.ips] },
      ),
    }),
    resource: (key) => pods.get(key),
    storeProblem: () => settings.storeProblem,
    graceMs: () => settings.graceMs,
    release: async ({ handle, sequence }) => ok({ released: ipam.release(handle as Handle, sequence)?.ips ?? [] }),
    log: pino({ enabled: false }),
  });
  const assign = async (uid?: string): Promise<Assignment> => {
    const outcome = await ipam.assign(podRequest('web', uid === undefined ? {} : { uid }));
    return outcome.kind === 'assigned' ? outcome.assignment : assert.fail(outcome.why);
  };
  return { ipam, links, interfaces, pods, settings, sweep, assign };
}

type World = Awaited<ReturnType<typeof world>>;

const kept: { name: string; given: (world: World, web: Assignment) => void; uid?: string }[] = [
  { name: 'with its link', given: ({ links }, web) => links.set(web.handle, web) },
  { name: 'with a link that lost its signature', given: ({ links }, web) => links.set(web.handle, undefined) },
  { name: 'with the interface in its namespace', given: ({ interfaces }, web) => interfaces.add(web.netns) },
  {
    name: 'of a pod that the datastore knows',
    given: ({ pods }) => pods.set('Pod/shop/web', podObject('u1')),
    uid: 'u1',
  },
  {
    name: 'of a pod without uid of which the datastore has one',
    given: ({ pods }) => pods.set('Pod/shop/web', podObject('u1')),
  },
  {
    name: 'of a pod whose status has the address',
    given: ({ pods }, web) => pods.set('Pod/shop/web', podObject('u2', ...web.ips)),
    uid: 'u1',
  },
  {
    name: 'while the datastore cannot be read',
    given: ({ settings }) => {
      settings.storeProblem = 'no';
    },
  },
  {
    name: 'when nothing is to be freed',
    given: ({ settings }) => {
      settings.graceMs = undefined;
    },
  },
];

for (const { name, given, uid } of kept) {
  test(`an assignment ${name} is kept`, async (t) => {
    const all = await world(t);
    const web = await all.assign(uid);
    given(all, web);
    for (const nowMs of [0, GRACE_MS, 10 * GRACE_MS]) await all.sweep(nowMs);
    assert.deepEqual(all.ipam.assignments(), [web]);
  });
}

test('what nobody has is freed after the grace, also when another pod has the name by now', async (t) => {
  const { ipam, pods, sweep, assign } = await world(t);
  await assign('u1');
  pods.set('Pod/shop/web', podObject('u2'));
  for (const nowMs of [0, GRACE_MS - 1]) await sweep(nowMs);
  assert.equal(ipam.assignments().length, 1);
  await sweep(GRACE_MS);
  assert.deepEqual(ipam.assignments(), []);
});

test('an ADD that is slow keeps its address', async (t) => {
  const { ipam, links, sweep, assign } = await world(t);
  const web = await assign();
  await sweep(0);
  links.set(web.handle, web);
  await sweep(GRACE_MS);
  links.delete(web.handle);
  await sweep(GRACE_MS + 1);
  await sweep(2 * GRACE_MS);
  assert.deepEqual(ipam.assignments(), [web], 'seen with a link in between');
});

test('an ADD that comes again after a leak begins a grace of its own', async (t) => {
  const { ipam, sweep, assign } = await world(t);
  const { handle } = await assign();
  await sweep(0);
  ipam.release(handle);
  const again = await assign();
  await sweep(GRACE_MS);
  assert.deepEqual(ipam.assignments(), [again]);
});

test('an assignment is freed though a later one has the interface of its name in its namespace', async (t) => {
  const { ipam, links, interfaces, sweep, assign } = await world(t);
  const { netns } = await assign();
  const handle = handleOf({ network: 'margay', containerId: 'later', ifName: 'eth0' });
  const outcome = await ipam.assign({ ...podRequest('later'), handle, netns });
  const later = outcome.kind === 'assigned' ? outcome.assignment : assert.fail(outcome.why);
  interfaces.add(netns);
  for (const nowMs of [0, GRACE_MS]) await sweep(nowMs);
  assert.equal(ipam.assignments().length, 2, 'it may be of either of them');
  links.set(later.handle, later);
  for (const nowMs of [2 * GRACE_MS, 3 * GRACE_MS]) await sweep(nowMs);
  assert.deepEqual(ipam.assignments(), [later]);
});
