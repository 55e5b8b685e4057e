// The world outside of a node, as one namespace behind the node's interface `out0`: whatever the node has no better
// route for arrives there. Policy does not look at what comes from outside and goes back outside.
import type { TestContext } from 'node:test';
import { parseIp } from '../../../lib/ip.ts';
import { unwrap } from '../../../lib/result.ts';
import { type TestNetns, testNetns } from '../netns.ts';
import type { ProbeEnd, Shot } from './prober.ts';

export type Outside = ProbeEnd;

const NODE_MAC = '02:00:00:00:00:01';
const OUTSIDE_MAC = '02:00:00:00:00:fe';
const GATEWAYS = ['203.0.113.254', 'fe80::fe'] as const;

/** Goes from outside through the node and back, by way of everything that is queued. */
export const SENTINEL: Omit<Shot, 'from' | 'to'> = {
  saddr: unwrap(parseIp('203.0.113.1')),
  daddr: unwrap(parseIp('203.0.113.2')),
  protocol: 'udp',
  dport: 9,
};

/** Wires the namespace to `node`, which must have no default route yet. */
export async function connectOutside(t: TestContext, node: TestNetns): Promise<Outside> {
  const outside = await testNetns(t, 'outside');
  const link = ['link', 'add', 'out0', 'address', NODE_MAC, 'type', 'veth'];
  await node.exec('ip', ...link, 'peer', 'name', 'eth0', 'address', OUTSIDE_MAC, 'netns', outside.name);
  await node.exec('sysctl', '-qw', 'net.ipv4.conf.out0.send_redirects=0', 'net.ipv4.conf.all.send_redirects=0');
  await node.exec('ip', 'link', 'set', 'out0', 'up');
  await outside.exec('ip', 'link', 'set', 'eth0', 'up');
  for (const gateway of GATEWAYS) {
    await node.exec('ip', 'neigh', 'add', gateway, 'lladdr', OUTSIDE_MAC, 'dev', 'out0');
    const family = gateway.includes(':') ? '-6' : '-4';
    await node.exec('ip', family, 'route', 'add', 'default', 'via', gateway, 'dev', 'out0', 'onlink');
  }
  return { name: 'outside', netnsPath: outside.path, gatewayMac: NODE_MAC };
}
