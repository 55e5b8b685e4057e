// The profiles of endpoints that policies select, with the records of their chains: endpoints of the same kind are looked
// at once in a step, in which the policies stand still.
import type { Direction } from '../ir.ts';
import { byRank, chainKeyOf, closedProfile, profileOfRanked } from './profiles.ts';
import type { ChainRecord, PolicyRecord, ProfilePair, ProfileRecord } from './records.ts';
import type { Profile, ProfileKey } from './types.ts';

/** The profiles of both directions of what these policies select. */
export type ProfileFinder = (selected: readonly PolicyRecord[]) => ProfilePair;

/** The record of the profile with this key, made when there is none. */
export type EnsureProfile = (key: ProfileKey, profile: Profile, chains: readonly ChainRecord[]) => ProfileRecord;

/** The profile of endpoints about which nothing is known. */
export function ensureClosed(ensure: EnsureProfile, direction: Direction): ProfileRecord {
  const { key, profile } = closedProfile(direction);
  return ensure(key, profile, []);
}

/** A finder for one step. */
export function createProfileFinder(ensure: EnsureProfile): ProfileFinder {
  const known = new Map<string, ProfilePair>();
  return (selected) => {
    let kind = '';
    for (const { id } of selected) kind += ` ${id}`;
    const before = known.get(kind);
    if (before !== undefined) return before;
    const ranked = selected.length < 2 ? selected : [...selected].sort(byPolicyRank);
    const found = { egress: profileIn(ranked, 'egress', ensure), ingress: profileIn(ranked, 'ingress', ensure) };
    known.set(kind, found);
    return found;
  };
}

function profileIn(ranked: readonly PolicyRecord[], direction: Direction, ensure: EnsureProfile): ProfileRecord {
  const chains: ChainRecord[] = [];
  const tiered: Parameters<typeof profileOfRanked>[0][number][] = [];
  for (const record of ranked) {
    const { policy } = record;
    if (policy?.[direction] === undefined) continue;
    const chain = ensureChain(record, direction);
    chains.push(chain);
    tiered.push({ tier: policy.tier, chain: chain.key });
  }
  const { key, profile } = profileOfRanked(tiered, direction);
  return ensure(key, profile, chains);
}

function ensureChain(owner: PolicyRecord, direction: Direction): ChainRecord {
  const known = owner[direction];
  if (known !== undefined) return known;
  const made = { key: chainKeyOf(owner.key, direction), owner, direction, count: 0, active: undefined, touched: false };
  owner[direction] = made;
  return made;
}

const byPolicyRank = (a: PolicyRecord, b: PolicyRecord): number =>
  a.policy === undefined || b.policy === undefined ? 0 : byRank(a.policy, b.policy);
