// The two policies of a speaker: BGPFilters of each peer first, then what holds without them. Out goes what originates here;
// what was learned only from a route reflector to its own AS, and where `nextHopMode: Keep` asks for it. In comes everything,
// because what may reach the kernel is decided there (`learned.ts`).
import type { BgpFilter } from '../../datastore/resources/bgp-filter.ts';
import type { BgpPeerSpec } from '../../datastore/resources/bgp-peer.ts';
import type { IpPool } from '../../datastore/resources/ip-pool.ts';
import { type Cidr, cidrFamily, cidrLength } from '../../lib/cidr.ts';
import { compareIp, familyBits, type Ip } from '../../lib/ip.ts';
import { GRACEFUL_SHUTDOWN } from './community.ts';
import { claimedAsn } from './desired-peer.ts';
import { type Direction, filterProblems, filterStatements } from './filter-statements.ts';
import type { DesiredPolicies, RouteStatement } from './route-policy.ts';
import type { Session } from './sessions.ts';
import type { Speaker } from './speakers.ts';
import type { PathSource } from './types.ts';

export type PoliciesInput = {
  readonly own: Speaker;
  readonly sessions: readonly Session[];
  readonly filters: readonly BgpFilter[];
  readonly pools: readonly IpPool[];
};

/** What is believed of a peer beyond the pools. */
export type PeerImports = {
  /** For people: `BGPPeer tor`. */
  readonly description: string;
  /** `importCIDRs`. */
  readonly ranges: readonly Cidr[];
  /** Of its BGPFilters, in order. */
  readonly statements: readonly RouteStatement[];
};

export type Policies = DesiredPolicies & { readonly imports: ReadonlyMap<Ip, PeerImports> };

export function routePolicies(input: PoliciesInput, problems: string[]): Policies {
  const groups = groupsOf(input, problems);
  const of = (direction: Direction): readonly RouteStatement[] =>
    groups.flatMap(({ peers, statements }) =>
      statements[direction].map(({ name, match, ...rest }) => ({ name, match: { ...match, peers }, ...rest })),
    );
  const imports = new Map<Ip, PeerImports>();
  for (const { sessions, statements } of groups) {
    for (const { address, description, settings } of sessions) {
      imports.set(address, {
        description,
        ranges: settings.importCIDRs ?? [],
        statements: statements.import,
      });
    }
  }
  return {
    import: { statements: [LOCAL, SHUTDOWN, ...of('import')], otherwise: 'accept' },
    export: {
      statements: [...nextHops(input), ...of('export'), LOCAL, ...reflected(input), ...keptNextHops(input)],
      otherwise: 'reject',
    },
    imports,
  };
}

// Also for the import policy, which gobgpd asks about our own paths, too.
const LOCAL: RouteStatement = { name: 'what originates here', match: { source: 'local' }, action: 'accept' };

const SHUTDOWN: RouteStatement = {
  name: 'graceful shutdown (RFC 8326)',
  match: { communities: [{ kind: 'standard', value: GRACEFUL_SHUTDOWN }] },
  set: { localPref: 0 },
  action: 'continue',
};

type Group = {
  readonly peers: readonly Ip[];
  readonly sessions: readonly Session[];
  readonly statements: Readonly<Record<Direction, readonly RouteStatement[]>>;
};

/** Peers of which the same rules hold have their statements together. */
function groupsOf({ own, sessions, filters }: PoliciesInput, problems: string[]): readonly Group[] {
  const byName = new Map(filters.map((filter) => [filter.metadata.name, filter]));
  const alike = Map.groupBy(sessions, (session) => {
    const ownAsn = claimedAsn(own, session.settings);
    const sent = exportedTo(own, session);
    return JSON.stringify([session.settings.filters ?? [], session.asn === ownAsn, ownAsn, sent]);
  });
  const told = new Set<string>();
  const tell = (problem: string): void => {
    if (!told.has(problem)) problems.push(problem);
    told.add(problem);
  };
  return [...alike.values()].map((members) => {
    const [first] = members;
    const names = first?.settings.filters ?? [];
    const missing = names.filter((name) => !byName.has(name));
    for (const { description } of members) {
      for (const name of missing) {
        tell(
          `Cannot exchange routes with "${description}": there is no BGPFilter "${name}", expected one that can be used`,
        );
      }
    }
    const chosen = names.flatMap((name) => byName.get(name) ?? []);
    for (const filter of chosen) filterProblems(filter).forEach(tell);
    const statements = (direction: Direction): readonly RouteStatement[] => {
      if (first === undefined) return [];
      // Nobody knows what the filter would have kept away.
      if (missing[0] !== undefined) {
        return [{ name: `BGPFilter ${missing[0]} is missing`, match: {}, action: 'reject' }];
      }
      const ownAsn = claimedAsn(own, first.settings);
      const peerType = first.asn === ownAsn ? 'iBGP' : 'eBGP';
      const exported = exportedTo(own, first);
      return chosen.flatMap((filter) => filterStatements(filter, { direction, peerType, ownAsn, exported }));
    };
    return {
      peers: addressesOf(members),
      sessions: members,
      statements: { import: statements('import'), export: statements('export') },
    };
  });
}

/** Where the paths may come from that a peer is sent when no filter speaks of it. */
function exportedTo(own: Speaker, session: Session): readonly PathSource[] {
  return reflectsTo(own, session) || keepsNextHop(session.settings) ? ['local', 'internal'] : ['local'];
}

const reflectsTo = (own: Speaker, { asn, settings }: Session): boolean =>
  own.clusterId !== undefined && asn === claimedAsn(own, settings);

const keepsNextHop = ({ nextHopMode, keepOriginalNextHop }: BgpPeerSpec): boolean =>
  nextHopMode === 'Keep' || keepOriginalNextHop === true;

function* nextHops({ sessions }: PoliciesInput): Iterable<RouteStatement> {
  const kept = addressesOf(sessions.filter(({ settings }) => keepsNextHop(settings)));
  const own = addressesOf(sessions.filter(({ settings }) => settings.nextHopMode === 'Self'));
  for (const source of ['internal', 'external'] as const) {
    if (kept.length > 0) {
      yield {
        name: 'nextHopMode Keep',
        match: { peers: kept, source },
        set: { nextHop: 'unchanged' },
        action: 'continue',
      };
    }
    if (own.length > 0) {
      yield { name: 'nextHopMode Self', match: { peers: own, source }, set: { nextHop: 'self' }, action: 'continue' };
    }
  }
}

function* reflected({ own, sessions }: PoliciesInput): Iterable<RouteStatement> {
  const peers = addressesOf(sessions.filter((session) => reflectsTo(own, session)));
  if (peers.length > 0) yield { name: 'route reflection', match: { peers, source: 'internal' }, action: 'accept' };
}

// A router that hears blocks of other nodes from this one must see where they really are; else every node would claim all.
function* keptNextHops({ own, sessions, pools }: PoliciesInput): Iterable<RouteStatement> {
  const peers = addressesOf(sessions.filter((session) => keepsNextHop(session.settings) && !reflectsTo(own, session)));
  const exported = pools.filter((pool) => pool.spec.disableBGPExport !== true).map((pool) => pool.spec.cidr);
  for (const family of [4, 6] as const) {
    const prefixes = exported
      .filter((cidr) => cidrFamily(cidr) === family)
      .sort()
      .map((cidr) => ({ cidr, min: cidrLength(cidr), max: familyBits(family) }));
    if (peers.length === 0 || prefixes.length === 0) continue;
    yield { name: 'nextHopMode Keep inside pools', match: { peers, source: 'internal', prefixes }, action: 'accept' };
  }
}

const addressesOf = (sessions: readonly Session[]): readonly Ip[] =>
  sessions.map(({ address }) => address).sort(compareIp);
