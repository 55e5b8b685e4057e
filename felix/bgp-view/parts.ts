// What the documents about BGP are made of: the model, gobgpd and the kernel, asked when somebody wants to know.
import { communityText } from '../../bgp/model/community.ts';
import type { PeerState, RibPath } from '../../bgp/model/types.ts';
import type { Cidr } from '../../lib/cidr.ts';
import type { Ip } from '../../lib/ip.ts';
import type { Rtnl } from '../../lib/linux/rtnl.ts';
import type { BgpRunner } from '../bgp-runner.ts';
import type { Model } from '../model/model.ts';
import type { PeerHistory } from '../peer-history.ts';

export type BgpParts = {
  readonly node: string;
  readonly model: Model;
  readonly gobgp: Pick<BgpRunner, 'peers' | 'adjacent' | 'problems'>;
  readonly history: PeerHistory;
  readonly rtnl: Rtnl;
  /** What is not in the kernel now, as sentences. */
  readonly failures: () => readonly string[];
  readonly nowMs: () => number;
};

/** The peers as gobgpd has them now; remembered, too. @throws BgpError */
export async function readPeers({ gobgp, history, nowMs }: BgpParts): Promise<readonly PeerState[]> {
  const peers = await gobgp.peers();
  history.observe(peers, nowMs());
  return peers;
}

/** `node2` of `mesh node2`, `tor` of `BGPPeer tor`. */
export const peerName = (description: string): string => description.replace(/^(?:mesh|BGPPeer) /, '');

/** The prefixes that this node knows of: learned ones, refused ones and its own. */
export function knownPrefixes({ model: { routing } }: BgpParts): ReadonlySet<Cidr> {
  const { routes, rejected } = routing.learned();
  const own = routing.bgp().desired?.paths.keys() ?? [];
  return new Set([...routes.keys(), ...rejected.map(({ prefix }) => prefix), ...own, ...routing.blocks()]);
}

/** What documents say of any path; `names` are those of the peers by address. */
export function pathView(path: RibPath, names: ReadonlyMap<Ip, string>) {
  return {
    prefix: path.prefix,
    nextHops: [path.nextHop],
    ...(path.from === undefined ? {} : { from: names.get(path.from) ?? path.from, fromAddress: path.from }),
    asPath: [...path.asPath],
    communities: [...path.communities.map(communityText), ...(path.largeCommunities ?? []).map((of) => of.join(':'))],
    localPref: path.localPref,
  };
}

/** Names of the peers that are wanted, by address. */
export function peerNames({ model }: BgpParts): ReadonlyMap<Ip, string> {
  const peers = model.routing.bgp().desired?.peers.values() ?? [];
  return new Map([...peers].map(({ address, description }) => [address, peerName(description)]));
}
