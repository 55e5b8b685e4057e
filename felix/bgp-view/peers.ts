// The document about peers: the session as gobgpd has it, what import rules make of what it says, and hints.
import type { RejectedRoute } from '../../bgp/model/learned.ts';
import { type PeerFacts, peerHints } from '../../bgp/model/peer-hints.ts';
import type { DesiredBgp, DesiredPeer, PeerState, RibPath } from '../../bgp/model/types.ts';
import type { BgpPeersView, BgpPeerView } from '../../bgp/view.ts';
import { resourceKey } from '../../datastore/resources/index.ts';
import { cidrFamily, cidrLength } from '../../lib/cidr.ts';
import { type Ip, ipFamily } from '../../lib/ip.ts';
import { type BgpParts, peerName, readPeers } from './parts.ts';

/** @throws BgpError */
export async function bgpPeersView(parts: BgpParts): Promise<BgpPeersView> {
  const { node, model } = parts;
  const states = new Map((await readPeers(parts)).map((state) => [state.address, state]));
  const { connected, why, desired, settled, drain } = model.routing.bgp();
  const refused = Map.groupBy(model.routing.learned().rejected, ({ from }) => from);
  const reflectors = model.routing.reflectors();
  const peers: BgpPeerView[] = [];
  for (const peer of desired?.peers.values() ?? []) {
    const state = states.get(peer.address);
    const rejected = refused.get(peer.address) ?? [];
    const facts = await factsOf(parts, { desired, peer, state, rejected, settled });
    peers.push({
      name: peerName(peer.description),
      address: peer.address,
      asn: peer.asn,
      type: reflectors.has(peer.address) ? 'Reflector' : typeOf(parts, peer),
      ...stateOf(parts, peer, state, rejected),
      hints: connected ? [...peerHints(facts)] : ['gobgpd does not answer, so there is no session'],
    });
  }
  return {
    node,
    ...(desired === undefined ? {} : { asn: desired.global.asn }),
    connected,
    ...(connected || why === undefined ? {} : { why }),
    settled,
    ...(drain === undefined ? {} : { drain }),
    peers,
  };
}

function typeOf({ model }: BgpParts, { description }: DesiredPeer): BgpPeerView['type'] {
  if (description.startsWith('mesh ')) return 'NodeMesh';
  const object = model.resource(resourceKey('BGPPeer', undefined, peerName(description)));
  if (object?.kind !== 'BGPPeer') return 'GlobalPeer';
  return object.spec.node === undefined && object.spec.nodeSelector === undefined ? 'GlobalPeer' : 'NodePeer';
}

function stateOf(
  { history }: BgpParts,
  { address, families, maxPrefixes, bfd }: DesiredPeer,
  state: PeerState | undefined,
  rejected: readonly RejectedRoute[],
) {
  const past = history.of(address);
  const counts = families.map((family) => {
    const none = { received: 0, accepted: 0, advertised: 0, endOfRib: false };
    const count = state?.families?.get(family) ?? none;
    const refused = rejected.filter(({ prefix }) => cidrFamily(prefix) === family).length;
    return { family, ...count, accepted: Math.max(0, count.accepted - refused) };
  });
  return {
    state: state?.state ?? ('unknown' as const),
    ...(past === undefined ? {} : { since: new Date(past.sinceMs).toISOString() }),
    flaps: state?.flaps ?? 0,
    families: counts,
    ...(maxPrefixes === undefined ? {} : { limit: maxPrefixes }),
    overLimit: state?.overLimit ?? false,
    ...(bfd === undefined ? {} : { bfd: state?.bfd ?? ('absent' as const) }),
    ...(state?.lastError === undefined ? {} : { lastError: state.lastError }),
  };
}

async function factsOf(
  parts: BgpParts,
  of: {
    readonly desired: DesiredBgp | undefined;
    readonly peer: DesiredPeer;
    readonly state: PeerState | undefined;
    readonly rejected: readonly RejectedRoute[];
    readonly settled: boolean;
  },
): Promise<PeerFacts> {
  const { model, gobgp, history } = parts;
  const { desired, peer, state, rejected, settled } = of;
  const past = history.of(peer.address);
  const ownAsn = peer.localAsn ?? desired?.global.asn ?? 0;
  const way = model.routing.wayTo(peer.address);
  const filtered = state?.state === 'established' && state.received > state.accepted;
  const heard = filtered ? await gobgp.adjacent(peer.address, 'adj-in') : [];
  const families = new Set(peer.families);
  const paths = [...(desired?.paths.keys() ?? [])].filter((prefix) => families.has(cidrFamily(prefix)));
  return {
    desired: peer,
    ownAsn,
    state,
    everEstablished: past?.everEstablished ?? false,
    refused: past?.refused ?? false,
    ...(way?.kind === 'unreachable' ? { unreachable: aboutPeer(peer.address) } : {}),
    keyMemoryShort: gobgp.problems().some((problem) => problem.includes('optmem_max')),
    // Routers above a rack send a default route as a matter of course, and it is refused as a matter of course.
    refusals: rejected.filter(isNoDefault).map(({ prefix, why, hint }) => {
      const nextHop = model.routing.paths(prefix).find(({ from }) => from === peer.address)?.nextHop;
      const leads = nextHop === undefined || model.routing.wayTo(nextHop)?.kind !== 'unreachable';
      return { why, ...(hint === undefined ? {} : { hint }), kind: leads ? 'rule' : 'next-hop' };
    }),
    ownAsnLoops: heard.filter((path) => isLoop(path, ownAsn, peer.allowedOwnAsns ?? 0)).length,
    originates: paths.length > 0,
    settled,
  };
}

const isNoDefault = ({ prefix }: RejectedRoute): boolean => cidrLength(prefix) > 0;

const aboutPeer = (address: Ip): string => `no route of IPv${ipFamily(address)} leads to "${address}"`;

const isLoop = ({ asPath }: RibPath, asn: number, allowed: number): boolean =>
  asPath.filter((each) => each === asn).length > allowed;
