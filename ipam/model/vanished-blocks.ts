// Which blocks belong to nobody any more: for the whole grace their Node was not there, nobody took them up, and no pod that
// the datastore knows could have an address of them.
import type { IpBlock } from '../../datastore/resources/ip-block.ts';
import { type Pod, podIps } from '../../datastore/resources/pod.ts';
import { type Cidr, cidrFamily, cidrLength, cidrOf } from '../../lib/cidr.ts';
import { createGrace } from '../../lib/grace.ts';
import { type Ip, ipFamily } from '../../lib/ip.ts';

export type ClusterLook = {
  readonly blocks: readonly IpBlock[];
  /** Names of all Nodes, those that cannot be read among them. */
  readonly nodes: ReadonlySet<string>;
  /** Of every Pod, as `podUse()` tells. */
  readonly pods: readonly PodUse[];
};

/** What a Pod keeps from being set free. */
export type PodUse =
  | { readonly kind: 'nothing' }
  /** `ips` may not be known yet, so that all blocks of its node count. */
  | { readonly kind: 'network'; readonly node?: string; readonly ips: readonly Ip[] }
  /** Of a Pod that cannot be read. */
  | { readonly kind: 'unknown' };

/** A Pod that has ended, or is in its node's network, holds no address. */
export function podUse(pod: Pod): PodUse {
  const { nodeName, hostNetwork } = pod.spec;
  const phase = pod.status?.phase;
  if (hostNetwork === true || phase === 'Succeeded' || phase === 'Failed') return { kind: 'nothing' };
  return { kind: 'network', ips: podIps(pod), ...(nodeName === undefined ? {} : { node: nodeName }) };
}

export type VanishedBlocks = {
  /**
   * The blocks that every look of the grace found so. `doubt` says why nothing can be told of any block. `nowMs` is
   * monotonic; `graceMs` absent: never.
   */
  readonly due: (
    look: ClusterLook,
    at: { readonly nowMs: number; readonly graceMs: number | undefined },
  ) => { readonly blocks: readonly IpBlock[]; readonly doubt?: string };
};

export function createVanishedBlocks(): VanishedBlocks {
  const grace = createGrace<string>();
  return {
    due: (look, { nowMs, graceMs }) => {
      const doubt = doubtOf(look);
      const found = doubt === undefined && graceMs !== undefined ? vanished(look) : [];
      const due = grace.due(found.map(identityOf), { nowMs, graceMs: graceMs ?? 0 });
      return { blocks: found.filter((block) => due.has(identityOf(block))), ...(doubt === undefined ? {} : { doubt }) };
    },
  };
}

/** Another version is another claim, also of the same node. */
const identityOf = ({ metadata }: IpBlock): string => `${metadata.name} ${metadata.resourceVersion}`;

function doubtOf({ blocks, nodes, pods }: ClusterLook): string | undefined {
  // It was emptied or exchanged, or is being filled.
  if (nodes.size === 0 && blocks.length > 0) return 'the datastore has address blocks and not a single Node';
  if (pods.some(({ kind }) => kind === 'unknown')) return 'a Pod cannot be read: it may have an address of any block';
  return undefined;
}

function vanished({ blocks, nodes, pods }: ClusterLook): readonly IpBlock[] {
  const ownerless = blocks.filter(({ spec }) => !nodes.has(spec.node));
  return ownerless.length === 0 ? [] : unusedBlocks(ownerless, pods);
}

/** Those of which no pod has an address, or may get one because it is on the block's node. */
export function unusedBlocks(blocks: readonly IpBlock[], pods: readonly PodUse[]): readonly IpBlock[] {
  const live = pods.filter((pod) => pod.kind === 'network');
  const busyNodes = new Set(live.map(({ node }) => node));
  // Without comparing each of a hundred thousand pods with each of a hundred blocks.
  const shapes = new Map(blocks.map(({ spec: { cidr } }) => [`${cidrFamily(cidr)}/${cidrLength(cidr)}`, cidr]));
  const busyBlocks = new Set<Cidr>();
  for (const ip of live.flatMap(({ ips }) => ips)) {
    for (const shape of shapes.values()) {
      if (cidrFamily(shape) === ipFamily(ip)) busyBlocks.add(cidrOf(ip, cidrLength(shape)));
    }
  }
  return blocks.filter(({ spec }) => !busyNodes.has(spec.node) && !busyBlocks.has(spec.cidr));
}
