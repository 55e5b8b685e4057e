// The profiles that local endpoints have, counted, and through them the chains that are in use.
import type { Change } from '../../lib/change.ts';
import type { ActiveChains } from './active-chains.ts';
import type { EnsureProfile } from './profile-finder.ts';
import type { ProfilePair, ProfileRecord } from './records.ts';
import type { Profile, ProfileKey } from './types.ts';

export type ActiveProfiles = {
  readonly ensure: EnsureProfile;
  /** An endpoint has other profiles than before. */
  readonly replace: (before: ProfilePair | undefined, after: ProfilePair | undefined) => void;
  readonly drain: () => readonly Change<ProfileKey, Profile>[];
};

/** Whether an endpoint that changes so may lose what it was allowed. */
export const profilesNarrow = (before: ProfilePair, after: ProfilePair): boolean =>
  narrows(before.egress, after.egress) || narrows(before.ingress, after.ingress);

export function createActiveProfiles(chains: ActiveChains): ActiveProfiles {
  const records = new Map<ProfileKey, ProfileRecord>();
  let touched: ProfileRecord[] = [];

  const touch = (record: ProfileRecord): void => {
    if (record.touched) return;
    record.touched = true;
    touched.push(record);
  };

  const count = ({ egress, ingress }: ProfilePair, step: 1 | -1): void => {
    egress.count += step;
    ingress.count += step;
    touch(egress);
    touch(ingress);
  };

  return {
    ensure: (key, profile, list) => {
      const known = records.get(key);
      if (known !== undefined) return known;
      const made = { key, profile, chains: list, count: 0, reported: false, touched: false };
      records.set(key, made);
      touch(made);
      return made;
    },
    replace: (before, after) => {
      if (after !== undefined) count(after, 1);
      if (before !== undefined) count(before, -1);
    },
    drain: () => {
      const changes: Change<ProfileKey, Profile>[] = [];
      for (const record of touched) {
        record.touched = false;
        const wanted = record.count > 0;
        if (!wanted) records.delete(record.key);
        if (wanted === record.reported) continue;
        record.reported = wanted;
        for (const chain of record.chains) chains.count(chain, wanted ? 1 : -1);
        changes.push({ key: record.key, value: wanted ? record.profile : undefined });
      }
      touched = [];
      return changes;
    },
  };
}

function narrows(before: ProfileRecord, after: ProfileRecord): boolean {
  if (before === after || before.profile.kind === 'closed') return false;
  return after.profile.kind === 'closed' || after.profile.tiers.length > 0;
}
