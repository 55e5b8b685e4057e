// Which policies an endpoint has in one direction, ordered and grouped into tiers, with a canonical key: endpoints of
// the same kind share a profile.
import type { Direction, Policy, PolicyKey } from '../ir.ts';
import type { ChainKey, Profile, ProfileKey, ProfileTier } from './types.ts';

/** The identity of a policy's chain. */
export const chainKeyOf = (policy: PolicyKey, direction: Direction): ChainKey => `${direction} ${policy}` as ChainKey;

/** The profile of endpoints about which nothing is known: everything is dropped. */
export const closedProfile = (direction: Direction): { readonly key: ProfileKey; readonly profile: Profile } => ({
  key: `${direction} closed` as ProfileKey,
  profile: { kind: 'closed', direction },
});

/** The profile of endpoints that these policies select; those without the direction are left out. */
export function profileOf(
  selected: Iterable<Policy>,
  direction: Direction,
): { readonly key: ProfileKey; readonly profile: Profile } {
  const policies = [...selected].filter((policy) => policy[direction] !== undefined).sort(byRank);
  const tiers: { tier: Policy['tier']; chains: ChainKey[] }[] = [];
  for (const { key, tier } of policies) {
    const last = tiers.at(-1);
    if (last?.tier.name === tier.name) last.chains.push(chainKeyOf(key, direction));
    else tiers.push({ tier, chains: [chainKeyOf(key, direction)] });
  }
  return { key: profileKey(direction, tiers), profile: { kind: 'tiers', direction, tiers } };
}

function byRank(a: Policy, b: Policy): number {
  if (a.tier.order !== b.tier.order) return a.tier.order - b.tier.order;
  if (a.tier.name !== b.tier.name) return a.tier.name < b.tier.name ? -1 : 1;
  if (a.order !== b.order) return a.order - b.order;
  return a.key < b.key ? -1 : a.key > b.key ? 1 : 0;
}

const profileKey = (direction: Direction, tiers: readonly ProfileTier[]): ProfileKey =>
  [direction, ...tiers.map(({ tier, chains }) => `${tier.name}:${tier.end}:${tier.hairpin}[${chains.join(' ')}]`)].join(
    ' ',
  ) as ProfileKey;
