// The rules of BGPFilters as statements of a route policy, for peers of one kind. What a speaker cannot tell of a path, its
// interface, closes the rule: as Reject it fits any, as Accept none.
import type { BgpFilter, BgpFilterRule } from '../../datastore/resources/bgp-filter.ts';
import type { Asn } from '../../datastore/resources/scalars.ts';
import type { Family } from '../../lib/ip.ts';
import { communityOf, GRACEFUL_SHUTDOWN } from './community.ts';
import { prefixRanges } from './prefix-ranges.ts';
import type { RouteChange, RouteMatch, RouteStatement } from './route-policy.ts';
import type { PathSource } from './types.ts';

export type Direction = 'import' | 'export';

export type FilterContext = {
  readonly direction: Direction;
  /** What the peer is to us. */
  readonly peerType: 'eBGP' | 'iBGP';
  /** What we claim to be towards the peer; begins every path that an eBGP peer is sent. */
  readonly ownAsn: Asn;
  /** Sources of paths that the peer is sent anyway: a rule that accepts and names no source accepts these. */
  readonly exported: readonly PathSource[];
};

/** Priority (metric) that routes have unless a rule sets another, as Calico's. */
const NORMAL_PRIORITY = 1024;
/** LOCAL_PREF of a priority, as Calico has it: the lower priority is preferred. */
const localPrefOf = (priority: number): number => 2_147_483_647 - priority;

/** In the order of the rules, IPv4 first; without `peers`. */
export function filterStatements(filter: BgpFilter, context: FilterContext): readonly RouteStatement[] {
  const { spec, metadata } = filter;
  const fields =
    context.direction === 'import'
      ? ([['importV4', 4] as const, ['importV6', 6] as const] as const)
      : ([['exportV4', 4] as const, ['exportV6', 6] as const] as const);
  return fields.flatMap(([field, family]) =>
    (spec[field] ?? []).flatMap((rule, index) =>
      ruleStatements(rule, family, context).map((statement) => ({
        name: `BGPFilter ${metadata.name} ${field}[${index}]`,
        ...statement,
      })),
    ),
  );
}

/** What cannot be done as it is written, as sentences; each once for each rule. */
export function filterProblems({ spec, metadata }: BgpFilter): readonly string[] {
  return (['importV4', 'importV6', 'exportV4', 'exportV6'] as const).flatMap((field) =>
    (spec[field] ?? []).flatMap((rule, index) =>
      rule.interface === undefined
        ? []
        : [
            `Cannot match interface "${rule.interface}" in BGPFilter "${metadata.name}" ${field}[${index}]: paths of BGP have none here, so ${
              rule.action === 'Accept' ? 'the rule accepts nothing' : 'the rule rejects on any interface'
            }, expected a rule without interface`,
          ],
    ),
  );
}

type Unnamed = Omit<RouteStatement, 'name'>;

function ruleStatements(rule: BgpFilterRule, family: Family, context: FilterContext): readonly Unnamed[] {
  if (rule.peerType !== undefined && rule.peerType !== context.peerType) return [];
  if (rule.priority !== undefined && rule.priority !== NORMAL_PRIORITY) return [];
  const accepts = rule.action === 'Accept';
  if (rule.interface !== undefined && accepts) return [];
  const match = matchOf(rule, family, context);
  const sources = sourcesOf(rule, context);
  const matches = sources === undefined ? [match] : sources.map((source) => ({ ...match, source }));
  return matches.flatMap((each) =>
    accepts ? acceptStatements(each, rule, context) : [{ match: each, action: 'reject' }],
  );
}

function acceptStatements(match: RouteMatch, rule: BgpFilterRule, context: FilterContext): readonly Unnamed[] {
  const { localPref, ...rest } = changeOf(rule, context);
  const accept: Unnamed = { match, ...(Object.keys(rest).length === 0 ? {} : { set: rest }), action: 'accept' };
  if (localPref === undefined) return [accept];
  // A path that its router is about to take away stays the last choice, whatever its priority.
  const shutdown: Unnamed = { match: { ...match, communities: [SHUTDOWN] }, set: { localPref: 0 }, action: 'continue' };
  return [
    { match, set: { localPref }, action: 'continue' },
    ...(context.direction === 'import' ? [shutdown] : []),
    accept,
  ];
}

const SHUTDOWN = { kind: 'standard', value: GRACEFUL_SHUTDOWN } as const;

/** `undefined`: any. */
function sourcesOf(
  { source, action }: BgpFilterRule,
  { direction, exported }: FilterContext,
): readonly PathSource[] | undefined {
  if (direction === 'import') return undefined;
  if (source === 'RemotePeers') return ['internal', 'external'];
  // Whoever writes "accept all" means what the node has to say, not that it passes on whatever it hears.
  return action === 'Accept' ? exported : undefined;
}

function matchOf(rule: BgpFilterRule, family: Family, { direction, peerType, ownAsn }: FilterContext): RouteMatch {
  const { communities, asPathPrefix } = rule;
  // gobgpd puts our AS number before the path first and asks the policy then.
  const before = direction === 'export' && peerType === 'eBGP' ? [ownAsn] : [];
  return {
    prefixes: prefixRanges(rule, family),
    ...(communities === undefined ? {} : { communities: communities.values.map(communityOf) }),
    ...(asPathPrefix === undefined || asPathPrefix.length === 0 ? {} : { asPathPrefix: [...before, ...asPathPrefix] }),
  };
}

function changeOf({ operations = [] }: BgpFilterRule, { direction, peerType, ownAsn }: FilterContext): RouteChange {
  const values = new Set(operations.flatMap(({ addCommunity }) => addCommunity?.value ?? []));
  const added = [...values].map(communityOf);
  // A later operation puts its numbers before those of an earlier one.
  const prepended = operations.toReversed().flatMap(({ prependASPath }) => prependASPath?.prefix ?? []);
  const priority = operations.findLast(({ setPriority }) => setPriority !== undefined)?.setPriority?.value;
  // Routers refuse a path of a neighbour that does not begin with its AS number (RFC 4271 §6.3).
  const outside = direction === 'export' && peerType === 'eBGP';
  const guard = outside && prepended[0] !== undefined && prepended[0] !== ownAsn ? [ownAsn] : [];
  return {
    ...(added.length === 0 ? {} : { addCommunities: added }),
    ...(prepended.length === 0 ? {} : { prependAsPath: [...guard, ...prepended] }),
    // LOCAL_PREF is not sent to another AS.
    ...(priority === undefined || outside ? {} : { localPref: localPrefOf(priority) }),
  };
}
