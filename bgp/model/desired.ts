// From the cluster's objects to what this node wants of its speaker. Wrong objects are named in `problems` and left
// out; the rest stands.
import { createHash } from 'node:crypto';
import type { BgpConfiguration } from '../../datastore/resources/bgp-configuration.ts';
import type { BgpFilter } from '../../datastore/resources/bgp-filter.ts';
import type { BgpPeer } from '../../datastore/resources/bgp-peer.ts';
import type { IpPool } from '../../datastore/resources/ip-pool.ts';
import type { Node } from '../../datastore/resources/node.ts';
import type { Secret } from '../../datastore/resources/secret.ts';
import { type Cidr, cidrOf } from '../../lib/cidr.ts';
import { familyBits, type Ip, ipFamily, ipv4FromNumber } from '../../lib/ip.ts';
import { desiredPeer } from './desired-peer.ts';
import { type Drain, ownPaths } from './own-paths.ts';
import { createPasswords } from './passwords.ts';
import { type PeerImports, routePolicies } from './route-policies.ts';
import { type Session, sessionsOf } from './sessions.ts';
import { portOf, readSpeakers, type Speaker } from './speakers.ts';
import type { DesiredBgp, DesiredPeer, PeerKey } from './types.ts';

export type DesiredBgpInput = {
  /** Name of this node. */
  readonly node: string;
  readonly nodes: readonly Node[];
  /** `default`. Absent: AS 64512, full mesh, port 179. */
  readonly configuration?: BgpConfiguration | undefined;
  /** Those named `node.NAME`. Absent: none. */
  readonly nodeConfigurations?: readonly BgpConfiguration[] | undefined;
  readonly peers: readonly BgpPeer[];
  /** Absent: none. */
  readonly filters?: readonly BgpFilter[] | undefined;
  /** Those that may hold passwords. Absent: none. */
  readonly secrets?: readonly Secret[] | undefined;
  /** Blocks that this node owns. */
  readonly blocks: readonly Cidr[];
  /** Addresses of pods on this node; those in no own block are advertised one by one. Absent: none. */
  readonly addresses?: Iterable<Ip> | undefined;
  /** Service addresses and ranges that this node draws. Absent: none. */
  readonly services?: Iterable<Cidr> | undefined;
  readonly pools: readonly IpPool[];
  /** Of this node's default routes. Absent: it has none. */
  readonly defaultGateways?: readonly Ip[] | undefined;
  /** Absent: the node takes traffic. */
  readonly draining?: Drain | undefined;
};

/** A host route to a peer that is wanted in the kernel (`reachableBy`). */
export type StaticRoute = { readonly dst: Cidr; readonly gateway: Ip };

/** `desired` is absent when this node cannot speak at all: then what runs must be left as it is. */
export type DesiredBgpResult = {
  readonly desired: DesiredBgp | undefined;
  readonly problems: readonly string[];
  /** Sorted by destination. */
  readonly staticRoutes: readonly StaticRoute[];
  /** What may be learned of each peer, for `learnedRoutes()`. */
  readonly imports: ReadonlyMap<Ip, PeerImports>;
};

export function desiredBgp(input: DesiredBgpInput): DesiredBgpResult {
  const problems: string[] = [];
  const nothing = { desired: undefined, problems, staticRoutes: [], imports: new Map() };
  if (!input.nodes.some((node) => node.metadata.name === input.node)) {
    problems.push(`Cannot configure BGP of node "${input.node}": there is no such Node, expected one`);
    return nothing;
  }
  const speakers = readSpeakers(input, problems);
  const own = speakers.get(input.node);
  if (own === undefined) return nothing;
  const { peers, filters = [], secrets = [], blocks, services = [], pools, defaultGateways = [], draining } = input;

  const sessions = sessionsOf({ own, speakers, peers, defaultGateways }, problems);
  const open = openSessions(own, [...sessions.values()], secrets, problems);
  const { imports, ...policies } = routePolicies({ own, sessions: open.sessions, filters, pools }, problems);
  const addresses = [...(input.addresses ?? [])];
  return {
    desired: {
      global: {
        asn: own.asn,
        routerId: own.v4 ?? routerIdOf(own.name),
        listenPort: portOf(own),
        listenAddresses: listenAddresses(own),
      },
      peers: open.peers,
      paths: ownPaths({ own, blocks, addresses, services, pools, draining }, problems),
      policies,
    },
    problems,
    staticRoutes: staticRoutes(open.sessions),
    imports,
  };
}

/** A session that cannot be as it was asked for is none at all; the mesh does not take its place. */
function openSessions(own: Speaker, sessions: readonly Session[], secrets: readonly Secret[], problems: string[]) {
  const passwordOf = createPasswords(secrets);
  const peers = new Map<PeerKey, DesiredPeer>();
  const opened: Session[] = [];
  for (const session of sessions) {
    const peer = desiredPeer(own, session, passwordOf);
    if (peer.ok) {
      peers.set(session.address, peer.value);
      opened.push(session);
    } else problems.push(`Cannot bring up "${session.description}" at "${session.address}": ${peer.error}`);
  }
  return { peers, sessions: opened };
}

function listenAddresses({ v4, v6, configuration }: Speaker): readonly Ip[] {
  if (configuration.bindMode === 'None') return ['0.0.0.0' as Ip, '::' as Ip];
  return [v4, v6].filter((address) => address !== undefined);
}

function staticRoutes(sessions: readonly Session[]): readonly StaticRoute[] {
  return sessions
    .flatMap(({ address, settings }) => {
      const gateway = settings.reachableBy;
      return gateway === undefined ? [] : [{ dst: cidrOf(address, familyBits(ipFamily(address))), gateway }];
    })
    .sort((a, b) => (a.dst < b.dst ? -1 : 1));
}

/** A node without IPv4 has one of its name: any number but 0 that nobody else has will do (RFC 6286 §2.1). */
function routerIdOf(name: string): Ip {
  return ipv4FromNumber(createHash('sha256').update(name).digest().readUInt32BE(0) || 1);
}
