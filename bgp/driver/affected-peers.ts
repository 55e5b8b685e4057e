// Whom a change of a route policy concerns. Pure.
import type { Ip } from '../../lib/ip.ts';
import type { RoutePolicy } from '../model/route-policy.ts';

/** Those of `peers` that the two treat differently, as far as their statements tell; all when `before` is not known. */
export function affectedPeers(
  before: RoutePolicy | undefined,
  after: RoutePolicy,
  peers: readonly Ip[],
): readonly Ip[] {
  if (before === undefined) return peers;
  return peers.filter((peer) => treatment(before, peer) !== treatment(after, peer));
}

function treatment({ statements, otherwise }: RoutePolicy, peer: Ip): string {
  const own = statements.filter(({ match }) => match.peers?.includes(peer) ?? true);
  return JSON.stringify([own.map(({ match: { peers: _, ...match }, set, action }) => [match, set, action]), otherwise]);
}
