// Which sessions a node has: with the nodes of the mesh, with what BGPPeers name, and with the nodes whose BGPPeers name it.
// What a BGPPeer says of an address outranks the mesh.
import type { BgpPeer, BgpPeerSpec } from '../../datastore/resources/bgp-peer.ts';
import { parsePeerAddress } from '../../datastore/resources/peer-ip.ts';
import type { Asn } from '../../datastore/resources/scalars.ts';
import { type Ip, ipFamily } from '../../lib/ip.ts';
import { err, ok, type Result } from '../../lib/result.ts';
import { parseSelector } from '../../lib/selector/parse-selector.ts';
import { selectorMatches } from '../../lib/selector/selector-matches.ts';
import { addressOf, commonFamily, portOf, type Speaker } from './speakers.ts';

export type Session = {
  readonly address: Ip;
  readonly port: number;
  readonly asn: Asn;
  /** The node of the cluster that has the address. Absent: another router. */
  readonly node?: Speaker;
  /** For people: `mesh node2` or `BGPPeer tor`. */
  readonly description: string;
  readonly settings: BgpPeerSpec;
};

export type SessionsInput = {
  readonly own: Speaker;
  readonly speakers: ReadonlyMap<string, Speaker>;
  readonly peers: readonly BgpPeer[];
  /** Of this node's default routes. */
  readonly defaultGateways: readonly Ip[];
};

/** Keyed by address. */
export function sessionsOf(input: SessionsInput, problems: string[]): ReadonlyMap<Ip, Session> {
  const sessions = new Map<Ip, Session>();
  for (const peer of input.peers.toSorted((a, b) => (a.metadata.name < b.metadata.name ? -1 : 1))) {
    const found = sessionsOfPeer(input, peer);
    if (!found.ok) {
      problems.push(`Cannot use BGPPeer "${peer.metadata.name}": ${found.error}`);
      continue;
    }
    for (const session of found.value) {
      const before = sessions.get(session.address);
      if (before === undefined) sessions.set(session.address, session);
      else if (before.description !== session.description)
        problems.push(
          `Cannot add "${session.description}": address "${session.address}" is taken by "${before.description}", expected one peer of an address`,
        );
    }
  }
  for (const session of meshSessions(input)) {
    if (!sessions.has(session.address)) sessions.set(session.address, session);
  }
  return sessions;
}

function* meshSessions({ own, speakers }: SessionsInput): Iterable<Session> {
  for (const node of speakers.values()) {
    const address = areMates(own, node) ? sharedAddress(own, node) : undefined;
    if (address === undefined) continue;
    const { nodeMeshPassword, nodeMeshMaxRestartTime, keepaliveTime, holdTime } = own.configuration;
    yield {
      address,
      port: portOf(node),
      asn: node.asn,
      node,
      description: `mesh ${node.name}`,
      settings: {
        ...(nodeMeshPassword === undefined ? {} : { password: nodeMeshPassword }),
        ...(nodeMeshMaxRestartTime === undefined ? {} : { maxRestartTime: nodeMeshMaxRestartTime }),
        ...(keepaliveTime === undefined ? {} : { keepaliveTime }),
        ...(holdTime === undefined ? {} : { holdTime }),
      },
    };
  }
}

// Whoever was chosen is there for all, whether there is a mesh beside or not: so that the mesh can go when they are up.
const areMates = (a: Speaker, b: Speaker): boolean =>
  a.chosen === true || b.chosen === true || (isInMesh(a) && isInMesh(b));

// Reflectors that a user has named have the sessions that BGPPeers give them, and no mesh beside.
const isInMesh = ({ clusterId, configuration }: Speaker): boolean =>
  clusterId === undefined && configuration.nodeToNodeMeshEnabled !== false;

/** The address of another node for the session with it. */
function sharedAddress(own: Speaker, node: Speaker): Ip | undefined {
  const family = node.name === own.name ? undefined : commonFamily(own, node);
  const address = family === undefined ? undefined : addressOf(node, family);
  return address === own.v4 || address === own.v6 ? undefined : address;
}

function sessionsOfPeer(input: SessionsInput, { metadata, spec }: BgpPeer): Result<readonly Session[]> {
  const { own } = input;
  const here = sideOf(spec);
  if (!here.ok) return here;
  const base = { description: `BGPPeer ${metadata.name}`, settings: spec };
  if (spec.peerSelector === undefined) {
    return here.value(own) ? namedSessions(input, spec, base) : ok([]);
  }
  const there = selects(spec.peerSelector);
  if (!there.ok) return there;
  const sessions: Session[] = [];
  for (const node of input.speakers.values()) {
    const address = sharedAddress(own, node);
    if (address === undefined) continue;
    const forward = here.value(own) && there.value(node);
    const back = spec.reversePeering !== 'Manual' && there.value(own) && here.value(node);
    if (!forward && !back) continue;
    // `localASNumber` is what the side that the BGPPeer is for claims; seen from the other side it is the peer's.
    const asn = forward ? node.asn : (spec.localASNumber ?? node.asn);
    sessions.push({ ...base, settings: forward ? spec : reversed(spec), address, port: portOf(node), asn, node });
  }
  return ok(sessions);
}

const reversed = ({ localASNumber: _, ...settings }: BgpPeerSpec): BgpPeerSpec => settings;

type Selects = (speaker: Speaker) => boolean;

/** The nodes that a BGPPeer is for. */
function sideOf({ node, nodeSelector }: BgpPeerSpec): Result<Selects> {
  return node === undefined ? selects(nodeSelector ?? '') : ok(({ name }) => name === node);
}

function selects(text: string): Result<Selects> {
  const selector = parseSelector(text);
  return selector.ok ? ok(({ labels }) => selectorMatches(selector.value, labels)) : selector;
}

type Base = Pick<Session, 'description' | 'settings'>;

function namedSessions(input: SessionsInput, spec: BgpPeerSpec, base: Base): Result<readonly Session[]> {
  const { own, speakers, defaultGateways } = input;
  const { asNumber, peerIP, autoDiscovery } = spec;
  if (asNumber === undefined) return err('it has no asNumber, expected that of the peer');
  const session = (address: Ip, port: number | undefined): readonly Session[] => {
    // A peer of all nodes may be one of them: it has no session with itself.
    if (address === own.v4 || address === own.v6) return [];
    const node = [...speakers.values()].find((speaker) => address === speaker.v4 || address === speaker.v6);
    return [{ ...base, address, port: port ?? portOf(node), asn: asNumber, ...(node === undefined ? {} : { node }) }];
  };
  if (peerIP !== undefined) {
    const at = parsePeerAddress(peerIP);
    return at.ok ? ok(session(at.value.address, at.value.port)) : at;
  }
  const family = autoDiscovery?.addressFamily === 'ipv6' ? 6 : 4;
  const gateways = [...new Set(defaultGateways)].filter((gateway) => ipFamily(gateway) === family);
  if (gateways.length > 0) return ok(gateways.flatMap((gateway) => session(gateway, undefined)));
  return err(`node "${own.name}" has no IPv${family} default route, expected one whose gateway is the peer`);
}
