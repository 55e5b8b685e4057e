// A node, pods wired to it by the code that CNI ADD uses, and the world outside, each a namespace; a policy table in the
// node's kernel written by our encoder; and a prober that sends real frames between all of them.
import type { TestContext } from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import { HOST_MAC } from '../../../cni/pod-side.ts';
import { POLICY_TABLE } from '../../../felix/render/policy/names.ts';
import { cidrOf } from '../../../lib/cidr.ts';
import { familyBits, type Ip, ipFamily } from '../../../lib/ip.ts';
import { inNetns } from '../../../lib/linux/netns.ts';
import { replaceRoute } from '../../../lib/linux/routes.ts';
import { openRtnl } from '../../../lib/linux/rtnl.ts';
import type { NftKey, NftObject } from '../../../lib/nftables/ast.ts';
import { openNftables } from '../../../lib/nftables/nfnetlink.ts';
import { planChanges, planReplacement } from '../../../lib/nftables/plan.ts';
import type { World } from '../../../policy/oracle.ts';
import { type PodKey, podKey } from '../../../policy/world.ts';
import { createPipeline, type Pipeline } from '../../policy/pipeline.ts';
import { type TestNetns, testNetns } from '../netns.ts';
import { connectOutside } from './outside.ts';
import { createProber, type Prober } from './prober.ts';
import { quiet } from './quiet.ts';
import type { PodToWire } from './wire-pods.ts';

export type FieldPod = Omit<PodToWire, 'netns'>;

export type PodField = Prober & {
  readonly node: TestNetns;
  /**
   * Makes this the world, by one batch of what differs from the one before. Its pods that are in the field get the
   * routes of their addresses.
   */
  readonly show: (world: World) => void;
  /** The same world and table, walked instead of sent through. */
  readonly judge: Pipeline['judge'];
  /** What the renderer wants in the kernel. */
  readonly objects: () => ReadonlyMap<NftKey, NftObject>;
  /** Whether the kernel has it. */
  readonly holds: () => boolean;
};

/** All pods that there will be; several may claim an address, which belongs to the one that the world gives it to. */
export async function podField(
  t: TestContext,
  pods: readonly FieldPod[],
  { timeoutMs }: { readonly timeoutMs?: number } = {},
): Promise<PodField> {
  const node = await testNetns(t, 'node');
  const outside = await connectOutside(t, node);
  const wired = await Promise.all(pods.map(async (pod) => ({ ...pod, netns: await podNetns(t) })));
  const program = [process.execPath, `${import.meta.dirname}/wire-pods.ts`] as const;
  const list = wired.map((pod): PodToWire => ({ ...pod, netns: pod.netns.path }));
  const indexes: readonly number[] = JSON.parse(await node.exec(...program, JSON.stringify(list)));
  const prober = createProber(t, {
    node: node.path,
    outside,
    ...(timeoutMs === undefined ? {} : { timeoutMs }),
    ends: wired.map(({ namespace, name, netns }) => ({
      name: podKey(namespace, name),
      netnsPath: netns.path,
      gatewayMac: HOST_MAC,
    })),
  });
  const rtnl = inNetns(node.path, openRtnl);
  const nft = inNetns(node.path, openNftables);
  t.after(() => {
    rtnl.close();
    nft.close();
  });
  const links = new Map(pods.map(({ namespace, name }, at) => [podKey(namespace, name), indexes[at]] as const));
  const owners = new Map<Ip, PodKey>();
  const place = (ip: Ip, owner: PodKey): void => {
    const oif = links.get(owner);
    if (owners.get(ip) === owner || oif === undefined) return;
    const dst = cidrOf(ip, familyBits(ipFamily(ip)));
    replaceRoute(rtnl, { dst, type: 'unicast', protocol: 4, metric: 1024, oif, nextHops: [] });
    owners.set(ip, owner);
  };
  for (const { namespace, name, ips } of pods) {
    for (const ip of ips) if (!owners.has(ip)) place(ip, podKey(namespace, name));
  }
  const pipeline = createPipeline();
  nft.commit(planReplacement({ table: POLICY_TABLE, objects: pipeline.renderer.objects() }));
  return {
    ...prober,
    node,
    show: (world) => {
      for (const { namespace, name, ips } of world.pods) for (const ip of ips) place(ip, podKey(namespace, name));
      nft.commit(planChanges(POLICY_TABLE, pipeline.show(world)));
    },
    judge: pipeline.judge,
    objects: pipeline.renderer.objects,
    holds: () => {
      const sorted = (objects: ReadonlyMap<NftKey, NftObject>): unknown => [...objects].sort();
      const actual = nft.dump(POLICY_TABLE.name)?.objects ?? new Map<NftKey, NftObject>();
      return isDeepStrictEqual(sorted(actual), sorted(pipeline.renderer.objects()));
    },
  };
}

async function podNetns(t: TestContext): Promise<TestNetns> {
  const netns = await testNetns(t, 'pod');
  await quiet(netns);
  return netns;
}
