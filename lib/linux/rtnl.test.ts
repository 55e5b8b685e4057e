import assert from 'node:assert/strict';
import { closeSync } from 'node:fs';
import { type TestContext, test } from 'node:test';
import { type TestNetns, testNetns } from '../../test/support/netns.ts';
import { parseCidr } from '../cidr.ts';
import { parseIp } from '../ip.ts';
import { unwrap } from '../result.ts';
import { waitFor } from '../wait-for.ts';
import { addAddress, deleteAddress, listAddresses } from './addresses.ts';
import { KernelError } from './kernel-error.ts';
import { createVeth, deleteLink, findLink, type Link, listLinks, setLink } from './links.ts';
import { deleteNeighbour, listNeighbours, replaceNeighbour } from './neighbours.ts';
import { inNetns, openNetns } from './netns.ts';
import { monitorRoutes, type RtChange } from './route-monitor.ts';
import { applyRoutes, deleteRoute, dumpRoutes, type Route, replaceRoute, sameRoute } from './routes.ts';
import { openRtnl, type Rtnl } from './rtnl.ts';

const cidr = (text: string) => unwrap(parseCidr(text));
const ip = (text: string) => unwrap(parseIp(text));
const MAC = 'ee:ee:ee:ee:ee:ee';

test('createVeth() makes both ends where they belong', async (t) => {
  const { node, rtnl, pod } = await twoNamespaces(t);
  const host = veth(rtnl, pod.path);
  const inside = inNetns(pod.path, openRtnl);
  t.after(inside.close);
  const eth0 = findLink(inside, { name: 'eth0' });
  assert.equal(eth0?.mtu, 1400);
  assert.deepEqual(
    { ...host, index: 0, peerIndex: 0 },
    { index: 0, name: 'mgy0', kind: 'veth', up: false, running: false, mtu: 1400, mac: MAC, group: 0, peerIndex: 0 },
  );
  assert.equal(host.peerIndex, eth0.index);
  assert.throws(() => createVeth(rtnl, spec('mgy0', pod.path)), { name: 'KernelError', code: 'EEXIST' });
  setLink(rtnl, host.index, { up: true, group: 77, alias: 'net.abc.eth0' });
  const changed = findLink(rtnl, { index: host.index });
  assert.deepEqual([changed?.up, changed?.group, changed?.alias], [true, 77, 'net.abc.eth0']);
  assert.deepEqual(
    listLinks(rtnl).map(({ name }) => name),
    ['lo', 'mgy0'],
  );
  assert.match(await node.exec('ip', '-d', 'link', 'show', 'mgy0'), /alias net\.abc\.eth0/);
  assert.equal(deleteLink(rtnl, host.index), true);
  assert.equal(deleteLink(rtnl, host.index), false);
  assert.equal(findLink(inside, { name: 'eth0' }), undefined);
});

test('addresses and neighbours are added, listed and deleted', async (t) => {
  const { rtnl, pod } = await twoNamespaces(t);
  const { index } = veth(rtnl, pod.path);
  setLink(rtnl, index, { up: true });
  for (const address of ['198.51.100.1', 'fd00:10:244::1']) {
    const entry = { index, ip: ip(address), prefixLength: address.includes(':') ? 64 : 24 };
    addAddress(rtnl, entry);
    assert.throws(() => addAddress(rtnl, entry), { code: 'EEXIST' });
    assert.ok(
      listAddresses(rtnl, index).some((each) => each.ip === entry.ip && each.prefixLength === entry.prefixLength),
    );
    const neighbour = { index, ip: ip(address.replace(/1$/, '2')), mac: '02:00:00:00:00:01' };
    replaceNeighbour(rtnl, { ...neighbour, mac: MAC });
    replaceNeighbour(rtnl, neighbour);
    assert.ok(listNeighbours(rtnl, index).some((each) => each.ip === neighbour.ip && each.mac === neighbour.mac));
    assert.equal(deleteNeighbour(rtnl, neighbour), true);
    assert.equal(deleteNeighbour(rtnl, neighbour), false);
    assert.equal(deleteAddress(rtnl, entry), true);
    assert.equal(deleteAddress(rtnl, entry), false);
  }
  assert.deepEqual(listNeighbours(rtnl), []);
});

test('replaceRoute() writes what dumpRoutes() reads', async (t) => {
  const { rtnl, pod } = await twoNamespaces(t);
  const { index: oif } = veth(rtnl, pod.path);
  setLink(rtnl, oif, { up: true });
  addAddress(rtnl, { index: oif, ip: ip('198.51.100.1'), prefixLength: 24 });
  addAddress(rtnl, { index: oif, ip: ip('fd00:198::1'), prefixLength: 64 });
  const base = { protocol: 177, metric: 1060, type: 'unicast', nextHops: [] } as const;
  const via = (...gateways: readonly string[]) => gateways.map((gateway) => ({ gateway: ip(gateway) }));
  const rows: readonly { readonly name: string; readonly given: Route }[] = [
    { name: 'on-link', given: { ...base, dst: cidr('10.244.1.5/32'), oif } },
    { name: 'gateway', given: { ...base, dst: cidr('10.244.2.0/24'), nextHops: via('198.51.100.2') } },
    {
      name: 'multipath',
      given: { ...base, dst: cidr('10.244.3.0/24'), nextHops: via('198.51.100.3', '198.51.100.2') },
    },
    { name: 'blackhole', given: { ...base, dst: cidr('10.244.4.0/24'), type: 'blackhole' } },
    { name: 'default', given: { ...base, dst: cidr('0.0.0.0/0'), nextHops: via('198.51.100.9') } },
    {
      name: 'gateway out of any subnet',
      given: { ...base, dst: cidr('10.244.5.0/24'), nextHops: [{ gateway: ip('169.254.1.1'), oif, onlink: true }] },
    },
    { name: 'scope', given: { ...base, dst: cidr('10.244.6.0/24'), oif, scope: 254 } },
    { name: 'IPv6 on-link', given: { ...base, dst: cidr('fd00:10:244::5/128'), oif } },
    { name: 'IPv6 gateway', given: { ...base, dst: cidr('fd00:10:244:2::/64'), nextHops: via('fd00:198::2') } },
    {
      name: 'IPv6 multipath',
      given: { ...base, dst: cidr('fd00:10:244:3::/64'), nextHops: via('fd00:198::2', 'fd00:198::3') },
    },
    { name: 'IPv6 blackhole', given: { ...base, dst: cidr('fd00:10:244:4::/64'), type: 'blackhole' } },
    {
      name: 'IPv4 by an IPv6 gateway',
      given: { ...base, dst: cidr('10.244.7.0/24'), nextHops: [{ gateway: ip('fd00:198::2'), oif }] },
    },
  ];
  for (const { name, given } of rows) {
    await t.test(name, () => {
      replaceRoute(rtnl, given);
      replaceRoute(rtnl, given);
      const found = dumpRoutes(rtnl, { protocol: 177 });
      assert.equal(found.length, 1);
      assert.ok(sameRoute(given, found[0] ?? given), JSON.stringify(found));
      assert.equal(deleteRoute(rtnl, { ...given, protocol: 178 }), false);
      assert.equal(deleteRoute(rtnl, { ...given, metric: 1061 }), false);
      assert.equal(deleteRoute(rtnl, given), true);
      assert.equal(deleteRoute(rtnl, given), false);
      assert.deepEqual(dumpRoutes(rtnl, { protocol: 177 }), []);
    });
  }
});

test('replaceRoute() puts a route in the place of another', async (t) => {
  const { rtnl, pod } = await twoNamespaces(t);
  const { index: oif } = veth(rtnl, pod.path);
  setLink(rtnl, oif, { up: true });
  const key = { dst: cidr('10.244.1.0/24'), protocol: 177, metric: 1060 };
  replaceRoute(rtnl, { ...key, type: 'blackhole', nextHops: [] });
  replaceRoute(rtnl, { ...key, type: 'unicast', oif, nextHops: [] });
  assert.deepEqual(dumpRoutes(rtnl, { family: 4 }), [{ ...key, type: 'unicast', oif, nextHops: [] }]);
  // Metric 0 means any metric to the kernel, and must not to us.
  assert.equal(deleteRoute(rtnl, { ...key, metric: 0 }), false);
  replaceRoute(rtnl, { ...key, metric: 0, type: 'blackhole', nextHops: [] });
  assert.equal(deleteRoute(rtnl, { ...key, metric: 0 }), true);
  assert.equal(dumpRoutes(rtnl, { family: 4 }).length, 1);
});

test('applyRoutes() writes ten thousand routes and says which failed', async (t) => {
  const { rtnl, pod } = await twoNamespaces(t);
  const { index: oif } = veth(rtnl, pod.path);
  setLink(rtnl, oif, { up: true });
  const routes = Array.from({ length: 10_000 }, (_, n) => ({
    dst: cidr(`10.244.${n >> 8}.${n & 255}/32`),
    protocol: 177,
    metric: 1060,
    type: 'unicast' as const,
    // A link that does not exist, once.
    oif: n === 5000 ? 9999 : oif,
    nextHops: [],
  }));
  const begin = performance.now();
  const results = applyRoutes(
    rtnl,
    routes.map((route) => ({ kind: 'replace', route })),
  );
  const middle = performance.now();
  const found = dumpRoutes(rtnl, { protocol: 177 });
  t.diagnostic(`write ${(middle - begin).toFixed(1)} ms, dump ${(performance.now() - middle).toFixed(1)} ms`);
  assert.equal(found.length, 9999);
  assert.equal(results.length, 10_000);
  assert.deepEqual(
    results.flatMap((error, n) => (error === undefined ? [] : [n])),
    [5000],
  );
  assert.match(String(results[5000]), /Cannot write route 10\.244\.19\.136\/32 with metric 1060: .*\(ENODEV\)/);
  const removed = applyRoutes(
    rtnl,
    routes.map((key) => ({ kind: 'delete', key })),
  );
  assert.deepEqual(
    removed.flatMap((error, n) => (error === undefined ? [] : [n, error.code])),
    [5000, 'ESRCH'],
  );
});

test('monitorRoutes() tells foreign changes and not our own', async (t) => {
  const { node, rtnl, pod } = await twoNamespaces(t);
  const seen: RtChange[] = [];
  const stop = new AbortController();
  t.after(() => stop.abort());
  inNetns(node.path, () =>
    monitorRoutes({
      onEvents: (events) => seen.push(...(events.kind === 'changes' ? events.changes : [])),
      onError: (error) => assert.fail(error),
      ownPorts: () => new Set([rtnl.portId]),
      signal: stop.signal,
    }),
  );
  const { index: oif } = veth(rtnl, pod.path);
  setLink(rtnl, oif, { up: true });
  const own = { dst: cidr('10.244.1.0/24'), protocol: 177, metric: 1060, type: 'blackhole', nextHops: [] } as const;
  replaceRoute(rtnl, own);
  await node.exec('ip', 'route', 'del', 'blackhole', '10.244.1.0/24', 'metric', '1060');
  const change = await waitFor('the route event', () => seen.find((each) => each.kind === 'route'));
  assert.deepEqual(change, { kind: 'route', event: 'deleted', route: own });
  await node.exec('ip', 'addr', 'add', '198.51.100.1/32', 'dev', 'mgy0');
  await waitFor('the address event', () => seen.some((each) => each.kind === 'address' && each.event === 'new'));
  await node.exec('ip', 'link', 'del', 'mgy0');
  await waitFor('the link event', () => seen.some((each) => each.kind === 'link' && each.event === 'deleted'));
});

test('monitorRoutes() tells that events were lost, and goes on', async (t) => {
  const { node, rtnl } = await twoNamespaces(t);
  const seen: string[] = [];
  const stop = new AbortController();
  t.after(() => stop.abort());
  inNetns(node.path, () =>
    monitorRoutes({
      onEvents: (events) => seen.push(events.kind),
      onError: (error) => assert.fail(error),
      receiveBytes: 4096,
      signal: stop.signal,
    }),
  );
  const blackhole = (n: number) =>
    ({ dst: cidr(`10.244.${n}.0/24`), protocol: 177, metric: 1060, type: 'blackhole', nextHops: [] }) as const;
  applyRoutes(
    rtnl,
    Array.from({ length: 200 }, (_, n) => ({ kind: 'replace', route: blackhole(n) })),
  );
  await waitFor('the overrun', () => seen.includes('overrun'));
  seen.length = 0;
  deleteRoute(rtnl, blackhole(0));
  await waitFor('the next change', () => seen.includes('changes'));
});

test('errors say the operation and what the kernel said', async (t) => {
  const { rtnl } = await twoNamespaces(t);
  const dst = cidr('10.244.1.0/24');
  assert.throws(
    () =>
      replaceRoute(rtnl, {
        dst,
        type: 'unicast',
        protocol: 177,
        metric: 1060,
        nextHops: [{ gateway: ip('203.0.113.1') }],
      }),
    (error) =>
      error instanceof KernelError &&
      error.code === 'ENETUNREACH' &&
      error.message.includes('Nexthop has invalid gateway'),
  );
});

async function twoNamespaces(t: TestContext): Promise<{ node: TestNetns; pod: TestNetns; rtnl: Rtnl }> {
  const node = await testNetns(t, 'node');
  const pod = await testNetns(t, 'pod');
  const rtnl = inNetns(node.path, openRtnl);
  t.after(rtnl.close);
  return { node, pod, rtnl };
}

const spec = (name: string, netns: string) => ({
  name,
  mac: MAC,
  mtu: 1400,
  peer: { name: 'eth0', netnsFd: openNetns(netns) },
});

function veth(rtnl: Rtnl, netns: string): Link {
  const given = spec('mgy0', netns);
  createVeth(rtnl, given);
  closeSync(given.peer.netnsFd);
  const link = findLink(rtnl, { name: 'mgy0' });
  assert.ok(link !== undefined);
  return link;
}
