// The profiles that local endpoints have, counted, and through them the chains that are in use.
import type { Change } from '../../lib/change.ts';
import type { ActiveChains } from './active-chains.ts';
import type { EndpointPolicy, Profile, ProfileKey } from './types.ts';

export type ActiveProfiles = {
  /** Makes profiles known by their key before `replace` refers to them. */
  readonly mention: (...profiles: readonly { readonly key: ProfileKey; readonly profile: Profile }[]) => void;
  /** An endpoint has other profiles than before. */
  readonly replace: (before: EndpointPolicy | undefined, after: EndpointPolicy | undefined) => void;
  /** Whether an endpoint that changes so may lose what it was allowed. */
  readonly canRevoke: (before: EndpointPolicy, after: EndpointPolicy) => boolean;
  readonly drain: () => readonly Change<ProfileKey, Profile>[];
};

export function createActiveProfiles(chains: ActiveChains): ActiveProfiles {
  const known = new Map<ProfileKey, Profile>();
  const counts = new Map<ProfileKey, number>();
  const reported = new Set<ProfileKey>();
  const touched = new Set<ProfileKey>();

  const count = (key: ProfileKey, step: 1 | -1): void => {
    counts.set(key, (counts.get(key) ?? 0) + step);
    touched.add(key);
  };

  const narrows = (before: ProfileKey, after: ProfileKey): boolean => {
    if (before === after || known.get(before)?.kind === 'closed') return false;
    const profile = known.get(after);
    return profile === undefined || profile.kind === 'closed' || profile.tiers.length > 0;
  };

  return {
    mention: (...profiles) => {
      for (const { key, profile } of profiles) {
        if (known.has(key)) continue;
        known.set(key, profile);
        touched.add(key);
      }
    },
    replace: (before, after) => {
      for (const key of after === undefined ? [] : [after.egress, after.ingress]) count(key, 1);
      for (const key of before === undefined ? [] : [before.egress, before.ingress]) count(key, -1);
    },
    canRevoke: (before, after) => narrows(before.egress, after.egress) || narrows(before.ingress, after.ingress),
    drain: () => {
      const changes: Change<ProfileKey, Profile>[] = [];
      for (const key of touched) {
        const profile = known.get(key);
        const wanted = (counts.get(key) ?? 0) > 0;
        if (profile !== undefined && wanted !== reported.has(key)) {
          for (const { chains: list } of profile.kind === 'tiers' ? profile.tiers : []) {
            for (const chain of list) chains.count(chain, wanted ? 1 : -1);
          }
          if (wanted) reported.add(key);
          else reported.delete(key);
          changes.push({ key, value: wanted ? profile : undefined });
        }
        if (!wanted) {
          counts.delete(key);
          known.delete(key);
        }
      }
      touched.clear();
      return changes;
    },
  };
}
