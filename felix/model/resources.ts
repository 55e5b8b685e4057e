// The objects of the datastore that routing looks at, by kind, and what is wrong with any object of any kind.
import type { BgpConfiguration } from '../../datastore/resources/bgp-configuration.ts';
import type { BgpPeer } from '../../datastore/resources/bgp-peer.ts';
import type { Resource, ResourceKey } from '../../datastore/resources/index.ts';
import type { IpPool } from '../../datastore/resources/ip-pool.ts';
import type { Node } from '../../datastore/resources/node.ts';
import type { Change } from '../../lib/change.ts';

export type Resources = {
  /** Takes a change; an object that cannot be used (`error`) keeps its last good form. Returns what is in force now. */
  readonly accept: (change: Change<ResourceKey, Resource>, error: string | undefined) => Resource | undefined;
  /** The object that is in force. */
  readonly get: (key: ResourceKey) => Resource | undefined;
  /** Every object that is in force, of every kind. */
  readonly all: () => Iterable<Resource>;
  readonly nodes: () => readonly Node[];
  readonly pools: () => readonly IpPool[];
  readonly peers: () => readonly BgpPeer[];
  /** BGPConfiguration `default`. Absent: the defaults hold. */
  readonly bgpConfiguration: () => BgpConfiguration | undefined;
  /** A sentence for each object that cannot be used. */
  readonly problems: () => readonly string[];
};

export function createResources(): Resources {
  const good = new Map<ResourceKey, Resource>();
  const nodes = new Map<ResourceKey, Node>();
  const pools = new Map<ResourceKey, IpPool>();
  const peers = new Map<ResourceKey, BgpPeer>();
  const configurations = new Map<ResourceKey, BgpConfiguration>();
  const problems = new Map<ResourceKey, string>();
  return {
    accept: ({ key, value }, error) => {
      if (error !== undefined) {
        problems.set(key, error);
        return good.get(key);
      }
      problems.delete(key);
      if (value === undefined) {
        for (const table of [good, nodes, pools, peers, configurations]) table.delete(key);
        return undefined;
      }
      good.set(key, value);
      if (value.kind === 'Node') nodes.set(key, value);
      else if (value.kind === 'IPPool') pools.set(key, value);
      else if (value.kind === 'BGPPeer') peers.set(key, value);
      else if (value.kind === 'BGPConfiguration') configurations.set(key, value);
      return value;
    },
    get: (key) => good.get(key),
    all: () => good.values(),
    nodes: () => [...nodes.values()],
    pools: () => [...pools.values()],
    peers: () => [...peers.values()],
    bgpConfiguration: () => configurations.get('BGPConfiguration/default'),
    problems: () => [...problems.values()],
  };
}
