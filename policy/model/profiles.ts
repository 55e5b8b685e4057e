// Which policies an endpoint has in one direction, ordered and grouped into tiers, with a canonical key: endpoints of
// the same kind share a profile.
import type { Direction, Policy, PolicyKey, Tier } from '../ir.ts';
import type { ChainKey, Profile, ProfileKey } from './types.ts';

/** The identity of a policy's chain. */
export const chainKeyOf = (policy: PolicyKey, direction: Direction): ChainKey => `${direction} ${policy}` as ChainKey;

/** The profile of endpoints about which nothing is known: everything is dropped. */
export const closedProfile = (direction: Direction): NamedProfile => ({
  key: `${direction} closed` as ProfileKey,
  profile: { kind: 'closed', direction },
});

type NamedProfile = { readonly key: ProfileKey; readonly profile: Profile };

/** The profile of endpoints that these policies select; those without the direction are left out. */
export function profileOf(selected: Iterable<Policy>, direction: Direction): NamedProfile {
  const policies = [...selected].filter((policy) => policy[direction] !== undefined).sort(byRank);
  return profileOfRanked(
    policies.map(({ key, tier }) => ({ tier, chain: chainKeyOf(key, direction) })),
    direction,
  );
}

/** The same, of chains that are in their order already. */
export function profileOfRanked(
  ranked: readonly { readonly tier: Tier; readonly chain: ChainKey }[],
  direction: Direction,
): NamedProfile {
  const tiers: { tier: Tier; chains: ChainKey[] }[] = [];
  let key: string = direction;
  let last: (typeof tiers)[number] | undefined;
  for (const { tier, chain } of ranked) {
    if (last?.tier.name === tier.name) {
      last.chains.push(chain);
      key += ` ${chain}`;
      continue;
    }
    if (last !== undefined) key += ']';
    last = { tier, chains: [chain] };
    tiers.push(last);
    key += ` ${tier.name}:${tier.end}:${tier.hairpin}[${chain}`;
  }
  if (last !== undefined) key += ']';
  return { key: key as ProfileKey, profile: { kind: 'tiers', direction, tiers } };
}

/** Order of evaluation. */
export function byRank(a: Policy, b: Policy): number {
  if (a === b) return 0;
  if (a.tier.order !== b.tier.order) return a.tier.order - b.tier.order;
  if (a.tier.name !== b.tier.name) return a.tier.name < b.tier.name ? -1 : 1;
  if (a.order !== b.order) return a.order - b.order;
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}
