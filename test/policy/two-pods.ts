// A node and two pods as namespaces, with the rendered table of a world in the node's kernel.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { LogDenied } from '../../felix/render/policy/denials.ts';
import { POLICY_TABLE } from '../../felix/render/policy/names.ts';
import type { PolicyRenderer } from '../../felix/render/policy/types.ts';
import { parseIp } from '../../lib/ip.ts';
import { hostIfName } from '../../lib/linux/if-name.ts';
import { inNetns } from '../../lib/linux/netns.ts';
import { openNftables } from '../../lib/nftables/nfnetlink.ts';
import { planChanges, planReplacement } from '../../lib/nftables/plan.ts';
import { unwrap } from '../../lib/result.ts';
import type { World } from '../../policy/oracle.ts';
import type { Addresses } from '../support/frames/raw-frame.ts';
import { type TestNetns, testNetns } from '../support/netns.ts';
import { createPipeline } from './pipeline.ts';

export const NODE = '198.51.100.1';
export const NODE6 = 'fd00:10:244:ff::1';
export const PODS = { a: ['10.244.0.1', 'fd00:10:244::1'], b: ['10.244.0.2', 'fd00:10:244::2'] } as const;
/** An address that the node routes to pod a, though it is not a's. */
export const STRANGE = '10.244.0.99';

export const addressesOf = (saddr: string, daddr: string): Addresses => ({
  saddr: unwrap(parseIp(saddr)),
  daddr: unwrap(parseIp(daddr)),
});

/** The hardware address of an interface in the namespace. */
export async function macOf(netns: TestNetns, ifName: string): Promise<Buffer> {
  const [link]: readonly { address: string }[] = JSON.parse(await netns.exec('ip', '-j', 'link', 'show', ifName));
  return Buffer.from(link?.address.replaceAll(':', '') ?? assert.fail(), 'hex');
}

/**
 * Tells the node the hardware address of a pod for good: a frame that waited for the answer would come after others that
 * were sent later, or not at all.
 */
export async function knowNeighbour(node: TestNetns, pod: keyof typeof PODS, mac: Buffer): Promise<void> {
  const lladdr = mac.toString('hex').replace(/..(?!$)/g, '$&:');
  for (const ip of PODS[pod]) {
    await node.exec('ip', 'neigh', 'replace', ip, 'lladdr', lladdr, 'dev', hostIfName('n', pod), 'nud', 'permanent');
  }
}

export type Cluster = {
  readonly node: TestNetns;
  readonly a: TestNetns;
  readonly b: TestNetns;
  /** Makes this the world, in one batch. */
  readonly show: (given: World) => void;
  /** Packets dropped at the end of profiles so far, over all rebuilds of their chains that dropped none. */
  readonly drops: () => Promise<number>;
  /** What renders the worlds. */
  readonly renderer: PolicyRenderer;
};

/** In the world of no pods. Absent `logDenied`: denials are not logged. */
export async function cluster(t: TestContext, logDenied?: LogDenied): Promise<Cluster> {
  const node = await testNetns(t, 'node');
  for (const key of ['ipv4.ip_forward', 'ipv6.conf.all.forwarding']) await node.exec('sysctl', '-qw', `net.${key}=1`);
  await node.exec('ip', 'addr', 'add', `${NODE}/32`, 'dev', 'lo');
  await node.exec('ip', 'addr', 'add', `${NODE6}/128`, 'dev', 'lo', 'nodad');
  // proxy_arp answers for what is routed through another interface.
  await node.exec('ip', 'route', 'add', 'default', 'dev', 'lo');
  const [a, b] = [await testNetns(t, 'a'), await testNetns(t, 'b')];
  await wire(node, a, 'a');
  await wire(node, b, 'b');
  await a.exec('ip', 'addr', 'add', `${STRANGE}/32`, 'dev', 'eth0');
  await node.exec('ip', 'route', 'add', `${STRANGE}/32`, 'dev', hostIfName('n', 'a'));

  const nft = inNetns(node.path, openNftables);
  t.after(nft.close);
  const pipeline = createPipeline(logDenied && { logDenied });
  nft.commit(planReplacement({ table: POLICY_TABLE, objects: pipeline.renderer.objects() }));
  return {
    node,
    a,
    b,
    renderer: pipeline.renderer,
    show: (given) => nft.commit(planChanges(POLICY_TABLE, pipeline.show(given))),
    drops: async () => {
      let sum = 0n;
      for (const [name, { packets }] of nft.counters(POLICY_TABLE.name)) if (/^d[ie]?_/.test(name)) sum += packets;
      return Number(sum);
    },
  };
}

async function wire(node: TestNetns, pod: TestNetns, name: keyof typeof PODS): Promise<void> {
  const [ipv4, ipv6] = PODS[name];
  const link = hostIfName('n', name);
  await node.exec('ip', 'link', 'add', link, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', pod.name);
  await node.exec('sysctl', '-qw', `net.ipv4.conf.${link}.proxy_arp=1`, `net.ipv4.neigh.${link}.proxy_delay=0`);
  await node.exec('ip', 'addr', 'add', 'fe80::1/64', 'dev', link, 'nodad');
  await node.exec('ip', 'link', 'set', link, 'up');
  await pod.exec('ip', 'link', 'set', 'eth0', 'up');
  await pod.exec('ip', 'addr', 'add', `${ipv4}/32`, 'dev', 'eth0');
  await pod.exec('ip', 'addr', 'add', `${ipv6}/128`, 'dev', 'eth0', 'nodad');
  await pod.exec('ip', 'route', 'add', '169.254.1.1', 'dev', 'eth0', 'scope', 'link');
  await pod.exec('ip', 'route', 'add', 'default', 'via', '169.254.1.1', 'dev', 'eth0');
  await pod.exec('ip', '-6', 'route', 'add', 'default', 'via', 'fe80::1', 'dev', 'eth0');
  await node.exec('ip', 'route', 'add', `${ipv4}/32`, 'dev', link);
  await node.exec('ip', '-6', 'route', 'add', `${ipv6}/128`, 'dev', link);
}
