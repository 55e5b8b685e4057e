// Sets, policies and assignments as messages. `shift`: what 4.x adds to most enums.
import type { CompiledPolicy, CompiledStatement, DefinedSet, DefinedSetKind } from '../compile-policy.ts';
import { communityText } from '../compile-policy.ts';
import type { FieldsOf, Input } from '../wire/message.ts';
import type * as m from './messages.ts';

type Shift = 0 | 1;

/** Conditions.RouteType, the same in both. */
const SOURCE = { internal: 1, external: 2, local: 3 } as const;
/** RouteAction, the same in both. */
const ACTION = { continue: 0, accept: 1, reject: 2 } as const;
/** PolicyDirection, the same in both. */
export const DIRECTION = { import: 1, export: 2 } as const;
/** DefinedType in 3.x. */
const SET_KIND = { prefix: 0, neighbor: 1, 'as-path': 3, community: 4, 'large-community': 6 } as const;
/** MatchSet.Type in 3.x. */
const FITS = { any: 0, none: 2 } as const;
/** CommunityAction.Type ADD and MedAction.Type REPLACE in 3.x. */
const ADD = 0;
const REPLACE = 1;

export const setKindOut = (kind: DefinedSetKind, shift: Shift): number => SET_KIND[kind] + shift;

export function setOut({ kind, name, list, prefixes }: DefinedSet, shift: Shift): Input<FieldsOf<typeof m.definedSet>> {
  return {
    type: setKindOut(kind, shift),
    name,
    list,
    prefixes: prefixes.map(({ cidr, min, max }) => ({ prefix: cidr, min, max })),
  };
}

export function policyOut({ name, statements }: CompiledPolicy, shift: Shift): Input<FieldsOf<typeof m.policy>> {
  return { name, statements: statements.map((statement) => statementOut(statement, shift)) };
}

function statementOut(statement: CompiledStatement, shift: Shift) {
  const { name, match, addCommunities, prepend, localPref, med, nextHop, action } = statement;
  const set = (kind: DefinedSetKind) => {
    const found = match.sets.find((one) => one.kind === kind);
    return found && { type: FITS[found.fits] + shift, name: found.name };
  };
  const add = (kind: 'standard' | 'large') => {
    const communities = addCommunities.filter((one) => one.kind === kind).map(communityText);
    return communities.length === 0 ? undefined : { type: ADD + shift, communities };
  };
  return {
    name,
    conditions: {
      prefixSet: set('prefix'),
      neighborSet: set('neighbor'),
      asPathSet: set('as-path'),
      communitySet: set('community'),
      largeCommunitySet: set('large-community'),
      routeType: match.source && SOURCE[match.source],
      nextHops: match.nextHops,
    },
    actions: {
      routeAction: ACTION[action],
      community: add('standard'),
      largeCommunity: add('large'),
      med: med === undefined ? undefined : { type: REPLACE + shift, value: med },
      asPrepend: prepend,
      nextHop: nextHop && { self: nextHop === 'self', unchanged: nextHop === 'unchanged' },
      localPref: localPref === undefined ? undefined : { value: localPref },
    },
  };
}
