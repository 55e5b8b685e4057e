// Needs root: which route the kernel takes, of all that lead to one address.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { testNetns } from '../../test/support/netns.ts';
import { parseIp } from '../ip.ts';
import { unwrap } from '../result.ts';
import { waitFor } from '../wait-for.ts';
import { findLink } from './links.ts';
import { inNetns } from './netns.ts';
import { dumpRoutes, lookUpRoute } from './routes.ts';
import { openRtnl } from './rtnl.ts';

const FAMILIES = [
  { family: '-4', pod: '10.244.1.5', block: '10.244.1.0/24', length: 32, source: '198.51.100.1/32' },
  { family: '-6', pod: 'fd00:10:244::5', block: 'fd00:10:244::/120', length: 128, source: 'fd00:198:51::1/128' },
];

for (const { family, pod, block, length, source } of FAMILIES) {
  test(`lookUpRoute() tells the route that wins, IPv${family.slice(1)}`, async (t) => {
    const node = await testNetns(t, 'node');
    const ip = async (...args: readonly string[]) => await node.exec('ip', family, ...args);
    await ip('link', 'add', 'own', 'type', 'veth', 'peer', 'name', 'other');
    for (const name of ['own', 'other']) await ip('link', 'set', name, 'up');
    await ip('addr', 'add', source, 'dev', 'other', ...(family === '-6' ? ['nodad'] : []));
    const rtnl = inNetns(node.path, openRtnl);
    t.after(rtnl.close);
    const [own, other] = ['own', 'other'].map((name) => findLink(rtnl, { name })?.index);
    const found = () => {
      const route = lookUpRoute(rtnl, unwrap(parseIp(pod)));
      return route && [route.dst, route.protocol, route.metric, route.oif];
    };
    assert.equal(found(), undefined, 'no route');
    await ip('route', 'add', 'blackhole', block, 'proto', '177', 'metric', '1060');
    assert.equal(found(), undefined, 'a black hole');
    await ip('route', 'add', pod, 'dev', 'own', 'proto', '177', 'metric', '1060');
    assert.deepEqual(found(), [`${pod}/${length}`, 177, 1060, own]);
    await ip('route', 'add', pod, 'dev', 'other', 'proto', 'static', 'metric', '10');
    assert.deepEqual(found(), [`${pod}/${length}`, 4, 10, other]);
    await ip('route', 'del', pod, 'dev', 'other');
    await ip('route', 'add', block, 'dev', 'other', 'proto', 'static', 'metric', '20', 'table', '100');
    assert.deepEqual(found(), [`${pod}/${length}`, 177, 1060, own], 'a table that no rule leads to');
    await ip('rule', 'add', 'to', pod, 'lookup', '100');
    assert.deepEqual(found(), [block, 4, 20, other]);
    const tables = [dumpRoutes(rtnl), dumpRoutes(rtnl, { tables: 'all' })];
    assert.deepEqual(
      tables.map((routes) => routes.some(({ dst, metric }) => dst === block && metric === 20)),
      [false, true],
    );
    await ip('addr', 'add', `${pod}/${length}`, 'dev', 'lo');
    // The kernel adds the route to an IPv6 address in a worker.
    await waitFor('an address of the node', () => found() === undefined);
  });
}
