// From the table of the speaker to the kernel's, in a namespace of the test's own: next hops behind routers, equal paths,
// a foreign route in our place, and what happens when links and routes go and come.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { RibPath } from '../../bgp/model/types.ts';
import { attachmentOf } from '../../cni/attachment.ts';
import { keyOf } from '../../datastore/resources/index.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import { assignmentSchema } from '../../ipam/assignment.ts';
import { parseCidr } from '../../lib/cidr.ts';
import { parseIp } from '../../lib/ip.ts';
import { openConntrack } from '../../lib/linux/conntrack.ts';
import { hostIfName } from '../../lib/linux/if-name.ts';
import { inNetns } from '../../lib/linux/netns.ts';
import { monitorRoutes } from '../../lib/linux/route-monitor.ts';
import { openRtnl } from '../../lib/linux/rtnl.ts';
import { createLog } from '../../lib/log.ts';
import { openNftables } from '../../lib/nftables/nfnetlink.ts';
import { unwrap } from '../../lib/result.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { testNetns } from '../../test/support/netns.ts';
import { createEffects } from '../effects.ts';
import { createEndpointWaiters } from '../endpoint-waiters.ts';
import type { Event } from '../model/events.ts';
import { createModel } from '../model/model.ts';
import { hostRoute } from '../model/route.ts';
import { FIRST_GENERATION } from '../render/policy/generation.ts';
import { POLICY_TABLE } from '../render/policy/names.ts';
import { createRevoker } from '../revoker.ts';
import { createNftDriver } from './nftables.ts';
import { createRouteDriver } from './routes.ts';

const NODE = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'node1' },
  status: { addresses: [{ type: 'InternalIP', address: '198.51.100.11' }] },
};
const pool = (name: string, cidr: string) => ({
  apiVersion: 'projectcalico.org/v3',
  kind: 'IPPool',
  metadata: { name },
  spec: { cidr },
});

const path = (prefix: string, nextHop: string): RibPath => ({
  prefix: unwrap(parseCidr(prefix)),
  nextHop: unwrap(parseIp(nextHop)),
  from: unwrap(parseIp(nextHop)),
  local: false,
  stale: false,
  asPath: [],
  asPathLength: 0,
  localPref: 100,
  med: 0,
  origin: 0,
  communities: [],
  ebgp: false,
});

/** A node with two links, `up0` in 198.51.100.0/25 and `up1` in 198.51.100.128/25, both families. */
async function node(t: TestContext) {
  const netns = await testNetns(t);
  const ip = (...args: readonly string[]): Promise<string> => netns.exec('ip', ...args);
  for (const [index, v4, v6] of [
    [0, '198.51.100.11/25', 'fd00:198::11/64'],
    [1, '198.51.100.139/25', 'fd00:199::11/64'],
  ] as const) {
    await ip('link', 'add', `up${index}`, 'type', 'veth', 'peer', 'name', `far${index}`);
    for (const address of [v4, v6]) await ip('address', 'add', address, 'dev', `up${index}`, ...NODAD(address));
    for (const name of [`up${index}`, `far${index}`]) await ip('link', 'set', name, 'up');
  }
  const sockets = inNetns(netns.path, () => ({ nft: openNftables(), rtnl: openRtnl(), conntrack: openConntrack() }));
  const log = createLog('test');
  log.level = 'silent';
  const model = createModel({ node: 'node1', generation: FIRST_GENERATION });
  const revoker = createRevoker({
    conntrack: sockets.conntrack,
    world: () => ({ objects: model.nftObjects(), endpoints: [], blocks: [], localAddresses: new Set() }),
    generation: model.generation,
    log,
  });
  const accept = (event: Event): void => {
    model.accept(event);
    queueMicrotask(() => inNetns(netns.path, effects.pass));
  };
  const effects = createEffects({
    model,
    nft: createNftDriver(sockets.nft, POLICY_TABLE, 'auto'),
    routes: createRouteDriver(sockets.rtnl, (routes) => accept({ kind: 'fib', routes })),
    waiters: createEndpointWaiters(() => ''),
    revoker,
    log,
  });
  const watching = new AbortController();
  inNetns(netns.path, () =>
    monitorRoutes({
      onEvents: () => effects.verifySoon('routes'),
      onError: assert.fail,
      ownPorts: () => new Set([sockets.rtnl.portId]),
      signal: watching.signal,
    }),
  );
  const keepAlive = setInterval(() => undefined, 1000);
  t.after(async () => {
    clearInterval(keepAlive);
    watching.abort();
    effects.close();
    await revoker.close();
    for (const socket of Object.values(sockets)) socket.close();
  });
  const put = (raw: unknown): void => {
    const value = unwrap(parseResource(raw));
    accept({ kind: 'resource', version: '1', change: { key: keyOf(value), value } });
  };
  for (const raw of [NODE, pool('four', '10.244.0.0/16'), pool('six', 'fd00:10:244::/48')]) put(raw);
  model.accept({ kind: 'in-sync', version: '1' });
  model.accept({ kind: 'bgp-up' });
  return {
    ip,
    exec: netns.exec,
    model,
    accept,
    put,
    effects,
    learn: (...paths: readonly RibPath[]) => accept({ kind: 'rib', paths }),
    /** Our routes as `ip` lists them, without what it adds for people. */
    expect: (expected: readonly string[]) => expectRoutes(netns.exec, expected),
  };
}

const NODAD = (address: string): readonly string[] => (address.includes(':') ? ['nodad'] : []);

/** Each text must be one line of ours; several next hops are on one line. */
async function expectRoutes(
  exec: (command: string, ...args: readonly string[]) => Promise<string>,
  expected: readonly string[],
): Promise<void> {
  let last = '';
  const read = async (): Promise<boolean> => {
    const four = await exec('ip', '-4', 'route', 'show', 'proto', '177');
    const six = await exec('ip', '-6', 'route', 'show', 'proto', '177');
    const lines = `${four}${six}`.replaceAll(/\s*\n?\t?nexthop /g, ' | ').split('\n');
    const tidy = lines.map((line) => line.replaceAll(/ (metric|weight|pref) \S+| linkdown/g, '').trim());
    last = tidy
      .filter((line) => line !== '')
      .sort()
      .join('\n');
    return last === [...expected].sort().join('\n');
  };
  await waitFor(`routes ${expected.join(', ')}`, read).catch((error: unknown) => {
    throw new Error(`Found instead:\n${last}`, { cause: error });
  });
}

test('equal paths are one route, and a route changes between one next hop and several in one step', async (t) => {
  const { learn, expect } = await node(t);
  learn(path('10.244.2.0/24', '198.51.100.12'), path('fd00:10:244:2::/64', 'fd00:198::12'));
  await expect(['10.244.2.0/24 via 198.51.100.12 dev up0', 'fd00:10:244:2::/64 via fd00:198::12 dev up0']);
  learn(
    path('10.244.2.0/24', '198.51.100.140'),
    path('10.244.2.0/24', '198.51.100.12'),
    path('fd00:10:244:2::/64', 'fd00:199::12'),
    path('fd00:10:244:2::/64', 'fd00:198::12'),
  );
  await expect([
    '10.244.2.0/24 | via 198.51.100.12 dev up0 | via 198.51.100.140 dev up1',
    'fd00:10:244:2::/64 | via fd00:198::12 dev up0 | via fd00:199::12 dev up1',
  ]);
  learn(path('10.244.2.0/24', '198.51.100.140'), path('fd00:10:244:2::/64', 'fd00:199::12'));
  await expect(['10.244.2.0/24 via 198.51.100.140 dev up1', 'fd00:10:244:2::/64 via fd00:199::12 dev up1']);
});

test('a next hop behind a router goes through it, and follows when the way changes', async (t) => {
  const { ip, model, learn, expect } = await node(t);
  learn(path('10.244.3.0/24', '203.0.113.13'));
  await expect([]);
  await waitFor('the reason', () => model.routing.learned().rejected.length > 0);
  assert.deepEqual(model.routing.learned().rejected, [
    { prefix: '10.244.3.0/24', from: '203.0.113.13', why: 'no route leads to its next hop "203.0.113.13"' },
  ]);
  await ip('route', 'add', '203.0.113.0/24', 'via', '198.51.100.1');
  await expect(['10.244.3.0/24 via 198.51.100.1 dev up0']);
  await ip('route', 'replace', '203.0.113.0/24', 'via', '198.51.100.129');
  await expect(['10.244.3.0/24 via 198.51.100.129 dev up1']);
  await ip('route', 'del', '203.0.113.0/24');
  await expect([]);
});

test('a peer is reached by the gateway that its BGPPeer names, and so is what it tells', async (t) => {
  const { learn, expect, put } = await node(t);
  put({
    apiVersion: 'projectcalico.org/v3',
    kind: 'BGPPeer',
    metadata: { name: 'tor' },
    spec: { peerIP: '203.0.113.1', asNumber: 64600, reachableBy: '198.51.100.1' },
  });
  await expect(['203.0.113.1 via 198.51.100.1 dev up0']);
  learn({ ...path('10.244.3.0/24', '203.0.113.1'), ebgp: true });
  await expect(['10.244.3.0/24 via 198.51.100.1 dev up0', '203.0.113.1 via 198.51.100.1 dev up0']);
});

test('a path that cannot be reached does not hide one that can', async (t) => {
  const { learn, expect } = await node(t);
  learn({ ...path('10.244.3.0/24', '203.0.113.13'), localPref: 200 }, path('10.244.3.0/24', '198.51.100.12'));
  await expect(['10.244.3.0/24 via 198.51.100.12 dev up0']);
});

test('a foreign route in our place is named and kept, and ours comes when it goes', async (t) => {
  const { ip, effects, learn, expect } = await node(t);
  const foreign = ['10.244.4.0/24', 'via', '198.51.100.99', 'metric', '1060', 'proto', '42'];
  await ip('route', 'add', ...foreign);
  learn(path('10.244.4.0/24', '198.51.100.14'), path('10.244.5.0/24', '198.51.100.15'));
  await expect(['10.244.5.0/24 via 198.51.100.15 dev up0']);
  assert.deepEqual(effects.failures(), [
    'Cannot write route "10.244.4.0/24": one of protocol 42 has metric 1060 already, which is kept for Margay; delete it or give it another metric',
  ]);
  assert.match(await ip('route', 'show', '10.244.4.0/24'), /via 198\.51\.100\.99 .*proto (babel|42)/);
  await ip('route', 'del', ...foreign);
  await expect(['10.244.4.0/24 via 198.51.100.14 dev up0', '10.244.5.0/24 via 198.51.100.15 dev up0']);
  assert.deepEqual(effects.failures(), []);
});

test('routes that a link took with it come back with it, and deleted ones at once', async (t) => {
  const { ip, learn, expect } = await node(t);
  learn(path('10.244.2.0/24', '198.51.100.12'), path('10.244.6.0/24', '198.51.100.140'));
  const both = ['10.244.2.0/24 via 198.51.100.12 dev up0', '10.244.6.0/24 via 198.51.100.140 dev up1'];
  await expect(both);
  await ip('link', 'set', 'up1', 'down');
  await expect(both.slice(0, 1));
  await ip('link', 'set', 'up1', 'up');
  await expect(both);
  await ip('route', 'flush', 'proto', '177');
  await expect(both);
  await ip('route', 'replace', '10.244.2.0/24', 'via', '198.51.100.77', 'proto', '177', 'metric', '1060');
  await expect(both);
});

test("a block of one address is a pod's route while there is a pod, and a blackhole before and after", async (t) => {
  const { ip, accept, expect } = await node(t);
  const ips = ['10.244.9.1', 'fd00:10:244::1'].map((text) => unwrap(parseIp(text)));
  const hostName = hostIfName('shop', 'web');
  const attachment = attachmentOf(
    assignmentSchema.parse({
      ...{ handle: 'margay.web.eth0', namespace: 'shop', pod: 'web', ips, netns: '', hostIfName: hostName },
      ...{ sequence: 1, assignedAt: '2026-01-01T00:00:00.000Z', state: 'attached' },
    }),
  );
  const nowhere = ['blackhole 10.244.9.1', 'blackhole fd00:10:244::1 dev lo'];
  await ip('link', 'add', hostName, 'type', 'veth', 'peer', 'name', 'pod0');
  for (const name of [hostName, 'pod0']) await ip('link', 'set', name, 'up');
  accept({ kind: 'blocks', blocks: ips.map(hostRoute) });
  await expect(nowhere);
  accept({ kind: 'attached', attachment });
  await expect([`10.244.9.1 dev ${hostName} scope link`, `fd00:10:244::1 dev ${hostName}`]);
  accept({ kind: 'detached', attachment });
  await expect(nowhere);
});

test('with thousands of gateways routes name next hop objects, which go with the routes', async (t) => {
  const { ip, learn, expect, exec } = await node(t);
  const many = Array.from({ length: 2100 }, (_, index) => {
    const hex = (index + 0x1000).toString(16);
    return path(`fd00:10:244:${hex}::/64`, `fd00:198::${hex}`);
  });
  const shared = [path('fd00:10:244:9::/64', 'fd00:198::1000'), path('fd00:10:244:9::/64', 'fd00:198::1001')];
  const objects = async () => (await exec('ip', 'nexthop', 'show', 'proto', '177')).split('\n').filter(Boolean);
  const nextHopsOf = async (prefix: string) => (await ip('-6', 'route', 'show', prefix)).replaceAll(/\s+/g, ' ');
  learn(...many, ...shared);
  await waitFor('an object for each gateway and one for the group', async () => (await objects()).length === 2101);
  const group = /id (\d+) group \d+\/\d+/.exec((await objects()).join('\n'))?.[1];
  assert.match(await nextHopsOf('fd00:10:244:9::/64'), new RegExp(`nhid ${group} .*fd00:198::1000.*fd00:198::1001`));
  assert.match(await nextHopsOf('fd00:10:244:1000::/64'), /nhid \d+ via fd00:198::1000 dev up0/);
  await ip('link', 'set', 'up0', 'down');
  await ip('link', 'set', 'up0', 'up');
  await ip('-6', 'address', 'replace', 'fd00:198::11/64', 'dev', 'up0', 'nodad');
  await waitFor('all of it again', async () => (await objects()).length === 2101);
  await waitFor('its routes', async () => /nhid \d+/.test(await nextHopsOf('fd00:10:244:9::/64')));
  learn(path('fd00:10:244:7::/64', 'fd00:199::12'));
  await expect(['fd00:10:244:7::/64 via fd00:199::12 dev up1']);
  await waitFor('no object to be left', async () => (await objects()).length === 0);
});
