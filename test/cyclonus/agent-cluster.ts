// An agent with pods that came through CNI ADD, whose datastore is then made to hold one world after the other.
import type { TestContext } from 'node:test';
import { HOST_MAC } from '../../cni/pod-side.ts';
import type { Resource } from '../../datastore/resources/index.ts';
import type { Namespace } from '../../datastore/resources/namespace.ts';
import type { Store } from '../../datastore/store.ts';
import { FIRST_GENERATION, generationOf } from '../../felix/render/policy/generation.ts';
import { POLICY_TABLE } from '../../felix/render/policy/names.ts';
import { type Ip, parseIp } from '../../lib/ip.ts';
import { hostIfName } from '../../lib/linux/if-name.ts';
import { inNetns } from '../../lib/linux/netns.ts';
import type { NftKey, NftObject } from '../../lib/nftables/ast.ts';
import { openNftables } from '../../lib/nftables/nfnetlink.ts';
import { unwrap } from '../../lib/result.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { convertWorld } from '../../policy/convert/world.ts';
import type { World } from '../../policy/oracle.ts';
import { type PodFacts, type PodKey, podKey } from '../../policy/world.ts';
import { type AgentNode, agentNode } from '../support/agent-node.ts';
import { connectOutside } from '../support/frames/outside.ts';
import { createProber, type Prober } from '../support/frames/prober.ts';
import { quiet } from '../support/frames/quiet.ts';
import type { TestNetns } from '../support/netns.ts';
import { applyWorld, LOCAL_NODE, worldObjects } from './apply-world.ts';
import { freshTable } from './fresh-table.ts';

/** The namespace whose annotation changes after all else. */
const HEARD = 'heard';
const KINDS = ['Namespace', 'Node', 'Pod', 'NetworkPolicy', 'ClusterNetworkPolicy'] as const;

export type AgentCluster = {
  readonly prober: Prober;
  /** Resolves when the agent has heard of it all, and has written it. */
  readonly show: (world: World) => Promise<void>;
  /** The kernel's table, and the one that the objects of the datastore give from nothing. */
  readonly tables: () => Promise<{ readonly kernel: unknown; readonly fresh: unknown }>;
  /** The datastore as the oracle reads it. */
  readonly world: () => Promise<World>;
  /** What the agent has written to its log. */
  readonly log: () => string;
};

/** An agent, and through CNI ADD the pods of `base`. Other pods of the worlds that are shown run elsewhere. */
export async function agentCluster(t: TestContext, base: World): Promise<AgentCluster> {
  const node = await agentNode(t);
  const { store } = node;
  const outside = await connectOutside(t, node.netns);
  for (const [name, labels] of base.namespaces) {
    await node.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  }
  await node.create({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name: 'pods-v6' },
    spec: { cidr: 'fd00:10:244::/48' },
  });
  await node.start();
  const local = new Map<PodKey, readonly Ip[]>();
  const ends = [];
  for (const { namespace, name, labels } of base.pods) {
    const pod = await node.addPod(namespace, name, labels);
    const ips = await addressesOf(pod.netns);
    // The node learns where the pod is before the pod falls silent.
    for (const ip of ips) await node.netns.exec('ping', '-c1', '-W5', ip);
    await quiet(pod.netns);
    local.set(podKey(namespace, name), ips);
    ends.push({ name: podKey(namespace, name), netnsPath: pod.netns.path, gatewayMac: HOST_MAC });
  }
  const prober = createProber(t, { node: node.netns.path, outside, ends });
  const nft = inNetns(node.netns.path, openNftables);
  t.after(nft.close);
  const endpoints = new Map(
    base.pods.map(({ namespace, name }) => {
      const ips = local.get(podKey(namespace, name)) ?? [];
      return [hostIfName(namespace, name), { namespace, pod: name, ips }] as const;
    }),
  );

  const onNode = (world: World): World => ({
    ...world,
    pods: world.pods.map((pod) => (local.has(podKey(pod.namespace, pod.name)) ? { ...pod, node: LOCAL_NODE } : pod)),
  });
  const ipsOf = ({ namespace, name, ips }: PodFacts): readonly string[] => local.get(podKey(namespace, name)) ?? ips;
  // The pods stand there as CNI needed them, without addresses: every one is written anew.
  let before = worldObjects({ ...onNode(base), policies: [] }, () => []);
  return {
    prober,
    show: async (world) => {
      const after = worldObjects(onNode(world), ipsOf);
      await applyWorld(store, before, after);
      before = after;
      await heard(node);
    },
    tables: async () => {
      const kernel = nft.dump(POLICY_TABLE.name)?.objects ?? new Map<NftKey, NftObject>();
      const generation = generationOf(kernel.values()) ?? FIRST_GENERATION;
      const fresh = freshTable({ resources: await allResources(store), endpoints, generation });
      return { kernel: sorted(kernel), fresh: sorted(fresh) };
    },
    world: async () => convertWorld(await allResources(store)),
    log: node.log,
  };
}

async function addressesOf(pod: TestNetns): Promise<readonly Ip[]> {
  const [link]: readonly AddressList[] = JSON.parse(await pod.exec('ip', '-j', 'address', 'show', 'dev', 'eth0'));
  return (link?.addr_info ?? []).filter(({ scope }) => scope === 'global').map(({ local }) => unwrap(parseIp(local)));
}

type AddressList = { readonly addr_info: readonly { readonly local: string; readonly scope: string }[] };

// The last object to be written: once the agent knows its version, it knows all before it.
async function heard({ store, status }: AgentNode): Promise<void> {
  const found = await store.get('Namespace', undefined, HEARD);
  const at = String(Number(found?.metadata.annotations?.['at'] ?? 0) + 1);
  const object: Namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: HEARD, annotations: { at } } };
  const { metadata } = found === undefined ? await store.create(object) : await store.update(object);
  const wanted = Number(metadata.resourceVersion);
  await waitFor('the agent to hear of a step', async () => Number((await status())['datastoreVersion']) >= wanted, {
    timeoutMs: 30_000,
    everyMs: 3,
  });
}

async function allResources(store: Store): Promise<readonly Resource[]> {
  const lists = await Promise.all(KINDS.map((kind) => store.list(kind)));
  return lists.flatMap(({ items }): readonly Resource[] => items);
}

const sorted = (objects: ReadonlyMap<NftKey, NftObject>): unknown => Object.fromEntries([...objects].sort());
