// A route policy in the terms of gobgpd: named sets, and statements that refer to them. Pure. Where the two differ:
//
// - A set that is empty fits everything there, nothing here: such a statement is left out.
// - Conditions of a statement must all hold, so standard and large communities, of which one is enough here, become two
//   statements. The second asks that the first does not fit: what both would do is done once.
// - A statement prepends one AS number. A longer list becomes statements that go on, each with the AS path that the one
//   before leaves behind; all else is set by the last.
// - In 3.x the longest prefix of a set that holds the path's decides alone: narrower prefixes inherit the lengths of the
//   wider ones around them.
// - The import policy is also asked about what originates here: that is always let in.
import { type Cidr, cidrContainsCidr, cidrFamily, cidrLength } from '../../lib/cidr.ts';
import { ipFamily } from '../../lib/ip.ts';
import type { Community, PrefixRange, RouteMatch, RoutePolicy, RouteStatement } from '../model/route-policy.ts';
import type { PathSource, RouteAction } from '../model/types.ts';

export type PolicyDirection = 'import' | 'export';
export type DefinedSetKind = 'prefix' | 'neighbor' | 'as-path' | 'community' | 'large-community';

export type DefinedSet = {
  readonly kind: DefinedSetKind;
  readonly name: string;
  /** Regular expressions of AS paths; communities; neighbours as CIDR. */
  readonly list: readonly string[];
  /** Of kind `prefix` alone. */
  readonly prefixes: readonly PrefixRange[];
};

export type CompiledStatement = {
  readonly name: string;
  readonly match: {
    /** Names of sets; one member must fit, or with `none` no member may. */
    readonly sets: readonly { readonly kind: DefinedSetKind; readonly name: string; readonly fits: 'any' | 'none' }[];
    readonly source?: PathSource;
    readonly nextHops: readonly Cidr[];
  };
  readonly addCommunities: readonly Community[];
  readonly prepend?: { readonly asn: number; readonly repeat: number };
  readonly localPref?: number;
  readonly med?: number;
  readonly nextHop?: 'self' | 'unchanged';
  readonly action: RouteAction | 'continue';
};

export type CompiledPolicy = {
  readonly name: string;
  readonly sets: readonly DefinedSet[];
  /** The last one decides what no other does. */
  readonly statements: readonly CompiledStatement[];
};

export type PolicyToCompile = {
  /** Unique among all policies that a speaker has at a time; sets and statements are named after it. */
  readonly name: string;
  readonly direction: PolicyDirection;
  readonly policy: RoutePolicy;
};

/** gobgpd keeps the count in a byte. */
const MOST_REPEATS = 255;
const ANY_PATH = { sets: [], nextHops: [] };

export function compilePolicy({ name, direction, policy }: PolicyToCompile): CompiledPolicy {
  const sets = createSets(name);
  const statements: Omit<CompiledStatement, 'name'>[] = [];
  if (direction === 'import') {
    statements.push({ match: { ...ANY_PATH, source: 'local' }, addCommunities: [], action: 'accept' });
  }
  for (const statement of policy.statements) statements.push(...compileStatement(statement, sets.add));
  statements.push({ match: ANY_PATH, addCommunities: [], action: policy.otherwise });
  return {
    name,
    sets: sets.all(),
    statements: statements.map((statement, index) => ({ ...statement, name: `${name}-${index}` })),
  };
}

type AddSet = (kind: DefinedSetKind, members: Members) => string;
type Members = { readonly list?: readonly string[]; readonly prefixes?: readonly PrefixRange[] };
type Reference = CompiledStatement['match']['sets'][number];

function* compileStatement(
  { match, set = {}, action }: RouteStatement,
  addSet: AddSet,
): Iterable<Omit<CompiledStatement, 'name'>> {
  const { peers, prefixes, communities, nextHops = [] } = match;
  if ([peers, prefixes, communities, match.nextHops].some((list) => list?.length === 0)) return;
  const { addCommunities = [], localPref, med, nextHop } = set;
  const runs = prependRuns(set.prependAsPath ?? []);
  const hasEffect = action !== 'continue' || Object.keys(set).length > 0;
  if (!hasEffect) return;

  const fixed: Reference[] = [];
  if (prefixes !== undefined) fixed.push(any('prefix', addSet('prefix', { prefixes: withInheritedLengths(prefixes) })));
  if (peers !== undefined) {
    const list = peers.map((peer) => `${peer}/${ipFamily(peer) === 4 ? 32 : 128}`);
    fixed.push(any('neighbor', addSet('neighbor', { list })));
  }
  for (const variant of communityVariants(communities, addSet)) {
    const before: number[] = [];
    const matchNow = (): CompiledStatement['match'] => ({
      sets: [...fixed, ...variant, ...asPathCondition(match, before, addSet)],
      ...(match.source === undefined ? {} : { source: match.source }),
      nextHops,
    });
    for (const run of runs.slice(0, -1)) {
      yield { match: matchNow(), addCommunities: [], prepend: run, action: 'continue' };
      before.unshift(...Array<number>(run.repeat).fill(run.asn));
    }
    const prepend = runs.at(-1);
    yield {
      match: matchNow(),
      addCommunities,
      ...(prepend === undefined ? {} : { prepend }),
      // gobgpd takes 0 for none.
      ...(localPref === undefined ? {} : { localPref: Math.max(localPref, 1) }),
      ...(med === undefined ? {} : { med }),
      ...(nextHop === undefined ? {} : { nextHop }),
      action,
    };
  }
}

const any = (kind: DefinedSetKind, name: string): Reference => ({ kind, name, fits: 'any' });

function communityVariants(communities: RouteMatch['communities'], addSet: AddSet): readonly (readonly Reference[])[] {
  if (communities === undefined) return [[]];
  const standard = communities.filter(({ kind }) => kind === 'standard').map(communityText);
  const large = communities.filter(({ kind }) => kind === 'large').map(communityText);
  const ofStandard = standard.length === 0 ? [] : [any('community', addSet('community', { list: standard }))];
  const ofLarge = large.length === 0 ? [] : [any('large-community', addSet('large-community', { list: large }))];
  if (ofStandard.length === 0 || ofLarge.length === 0) return [[...ofStandard, ...ofLarge]];
  return [ofStandard, [...ofStandard.map((one): Reference => ({ ...one, fits: 'none' })), ...ofLarge]];
}

// `before`: what earlier statements of ours have put before the path that fitted.
function asPathCondition(
  { asPathPrefix = [] }: RouteMatch,
  before: readonly number[],
  addSet: AddSet,
): readonly Reference[] {
  if (asPathPrefix.length === 0) return [];
  const pattern = `^${[...before, ...asPathPrefix].join(' ')}(?: |$)`;
  return [any('as-path', addSet('as-path', { list: [pattern] }))];
}

/** Equal neighbours together, in the order of prepending: the innermost, which is the last, first. */
function prependRuns(asns: readonly number[]): readonly { readonly asn: number; readonly repeat: number }[] {
  const runs: { asn: number; repeat: number }[] = [];
  for (const asn of asns.toReversed()) {
    const last = runs.at(-1);
    if (last !== undefined && last.asn === asn && last.repeat < MOST_REPEATS) last.repeat++;
    else runs.push({ asn, repeat: 1 });
  }
  return runs;
}

function withInheritedLengths(ranges: readonly PrefixRange[]): readonly PrefixRange[] {
  return ranges.flatMap((range) => {
    const around = ranges.filter(
      (other) =>
        other.cidr !== range.cidr &&
        cidrFamily(other.cidr) === cidrFamily(range.cidr) &&
        cidrContainsCidr(other.cidr, range.cidr) &&
        other.max >= cidrLength(range.cidr),
    );
    return [
      range,
      ...around.map(({ min, max }) => ({ cidr: range.cidr, min: Math.max(min, cidrLength(range.cidr)), max })),
    ];
  });
}

/** RFC 1997 as `high:low`, RFC 8092 as three numbers. */
export function communityText(community: Community): string {
  if (community.kind === 'large') return `${community.global}:${community.local1}:${community.local2}`;
  return `${Math.floor(community.value / 65536)}:${community.value % 65536}`;
}

/** Equal sets once. */
function createSets(policy: string) {
  const byContent = new Map<string, DefinedSet>();
  const add: AddSet = (kind, { list = [], prefixes = [] }) => {
    const content = JSON.stringify([kind, list, prefixes]);
    const known = byContent.get(content);
    if (known !== undefined) return known.name;
    const name = `${policy}-set-${byContent.size}`;
    byContent.set(content, { kind, name, list, prefixes });
    return name;
  };
  return { add, all: (): readonly DefinedSet[] => [...byContent.values()] };
}
