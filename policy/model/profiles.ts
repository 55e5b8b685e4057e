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

/**
 * The profile of endpoints that these policies select; those without the direction are left out. `keyOf` may be given by
 * who keeps the keys of chains: of thousands of endpoints each then refers to the same few strings.
 */
export function profileOf(
  selected: Iterable<Policy>,
  direction: Direction,
  keyOf: typeof chainKeyOf = chainKeyOf,
): { readonly key: ProfileKey; readonly profile: Profile } {
  const policies = [...selected].filter((policy) => policy[direction] !== undefined).sort(byRank);
  const tiers: { tier: Policy['tier']; chains: ChainKey[] }[] = [];
  for (const { key, tier } of policies) {
    const last = tiers.at(-1);
    if (last?.tier.name === tier.name) last.chains.push(keyOf(key, direction));
    else tiers.push({ tier, chains: [keyOf(key, direction)] });
  }
  return { key: profileKey(direction, tiers), profile: { kind: 'tiers', direction, tiers } };
}

/** The profiles of both directions of what these policies select. */
export type ProfileFinder = (
  selected: readonly Policy[],
) => Readonly<Record<Direction, { readonly key: ProfileKey; readonly profile: Profile }>>;

/** A finder for one step, in which the policies stand still: endpoints of the same kind are looked at once. */
export function createProfileFinder(keyOf: typeof chainKeyOf): ProfileFinder {
  type Node = { found: ReturnType<ProfileFinder> | undefined; readonly next: Map<Policy, Node> };
  const root: Node = { found: undefined, next: new Map() };
  return (selected) => {
    let node = root;
    for (const policy of selected) {
      let next = node.next.get(policy);
      if (next === undefined) {
        next = { found: undefined, next: new Map() };
        node.next.set(policy, next);
      }
      node = next;
    }
    node.found ??= { egress: profileOf(selected, 'egress', keyOf), ingress: profileOf(selected, 'ingress', keyOf) };
    return node.found;
  };
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
