// Communities between their text and the forms that paths and policies carry.
import type { Community } from './route-policy.ts';
import type { LargeCommunity } from './types.ts';

/** GRACEFUL_SHUTDOWN (RFC 8326 §3): who hears it prefers any other path. */
export const GRACEFUL_SHUTDOWN = 65_535 * 65_536;

/** Reads what the schema let through. */
export function communityOf(text: string): Community {
  const [first = 0, second = 0, third] = text.split(':').map(Number);
  if (third !== undefined) return { kind: 'large', global: first, local1: second, local2: third };
  return { kind: 'standard', value: first * 65_536 + second };
}

export type CommunitySet = { readonly standard: readonly number[]; readonly large: readonly LargeCommunity[] };

/** Sorted, each once. */
export function communitySet(communities: Iterable<Community>): CommunitySet {
  const standard = new Set<number>();
  const large = new Map<string, LargeCommunity>();
  for (const community of communities) {
    if (community.kind === 'standard') standard.add(community.value);
    else {
      const { global, local1, local2 } = community;
      large.set(`${global}:${local1}:${local2}`, [global, local1, local2]);
    }
  }
  return {
    standard: [...standard].sort((a, b) => a - b),
    large: [...large.values()].sort((a, b) => a[0] - b[0] || a[1] - b[1] || a[2] - b[2]),
  };
}

/** RFC 1997: `high:low`. */
export const communityText = (value: number): string => `${Math.floor(value / 65_536)}:${value % 65_536}`;
