import assert from 'node:assert/strict';
import { test } from 'node:test';
import { cidrOf } from '../lib/cidr.ts';
import { parseIp } from '../lib/ip.ts';
import type { IfName } from '../lib/linux/if-name.ts';
import type { Link } from '../lib/linux/links.ts';
import type { RtChange } from '../lib/linux/route-monitor.ts';
import { unwrap } from '../lib/result.ts';
import { createKernelNews } from './kernel-news.ts';

const POD = link(7, 'mgy0123456789a', 'up');
const rows: readonly { readonly name: string; readonly changes: readonly RtChange[]; readonly expected: string }[] = [
  { name: 'a pod comes', changes: [made(8, 'down'), made(8, 'up'), address(8), kernelRoute(8)], expected: '' },
  { name: 'its carrier comes later', changes: [made(8, 'up'), made(8, 'up')], expected: '' },
  {
    name: 'a pod that is not attached goes',
    changes: [made(8, 'up'), gone(link(8, 'mgyother', 'down'))],
    expected: 'linkGone',
  },
  { name: 'the link of a pod goes', changes: [gone(POD)], expected: 'routes linkGone' },
  { name: 'the link of a pod goes down', changes: [changed({ ...POD, up: false })], expected: 'routes' },
  { name: 'it goes down and up', changes: [changed({ ...POD, up: false }), changed(POD)], expected: 'routes' },
  { name: 'it is marked', changes: [changed({ ...POD, group: 5 })], expected: '' },
  { name: 'it gets an address', changes: [address(7)], expected: '' },
  { name: 'the uplink says anything', changes: [changed(link(2, 'eth0', 'up'))], expected: 'routes' },
  { name: 'the uplink gets an address', changes: [address(2)], expected: 'addresses routes' },
  { name: 'a foreign link has a name of ours', changes: [changed(dummy())], expected: 'routes' },
  { name: 'a route by a pod that the kernel did not make', changes: [kernelRoute(7, 3)], expected: 'routes' },
  { name: 'a route by the uplink', changes: [kernelRoute(2)], expected: 'routes' },
];
for (const { name, changes, expected } of rows) {
  test(`createKernelNews(): ${name}`, () => {
    const newsOf = createKernelNews([POD, link(2, 'eth0', 'up')], (ifName) => ifName === (POD.name as IfName));
    assert.equal(words(newsOf({ kind: 'changes', changes })), expected);
  });
}

test('createKernelNews() takes everything for news when messages were lost', () => {
  const newsOf = createKernelNews([], () => false);
  assert.deepEqual(newsOf({ kind: 'overrun' }), { addresses: true, routes: true, linkGone: true });
});

const words = (news: Readonly<Record<string, boolean>>): string =>
  Object.keys(news)
    .filter((key) => news[key])
    .join(' ');

function link(index: number, name: string, state: 'up' | 'down'): Link {
  return { index, name, kind: 'veth', up: state === 'up', running: false, mtu: 1500, group: 0 };
}

function dummy(): Link {
  return { ...link(9, 'mgydummy', 'up'), kind: 'dummy' };
}

function made(index: number, state: 'up' | 'down'): RtChange {
  return changed(link(index, `mgynew${index}`, state));
}

function changed(changedLink: Link): RtChange {
  return { kind: 'link', event: 'new', link: changedLink };
}

function gone(goneLink: Link): RtChange {
  return { kind: 'link', event: 'deleted', link: goneLink };
}

function address(index: number): RtChange {
  return { kind: 'address', event: 'new', address: { index, ip: unwrap(parseIp('fe80::1')), prefixLength: 64 } };
}

function kernelRoute(oif: number, protocol = 2): RtChange {
  const dst = cidrOf(unwrap(parseIp('fe80::')), 64);
  return { kind: 'route', event: 'new', route: { dst, type: 'unicast', protocol, metric: 256, oif, nextHops: [] } };
}
