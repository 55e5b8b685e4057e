// What has to be done to bring a speaker from what it has to what is desired. Pure.
import type { Cidr } from '../../lib/cidr.ts';
import type { Ip } from '../../lib/ip.ts';
import type { DesiredBgp, DesiredGlobal, DesiredPath, DesiredPeer, RibPath } from '../model/types.ts';
import type { GlobalState } from './codec.ts';

/** What differs in settings that only a restart changes, as sentences; empty when nothing does. */
export function globalDifferences(actual: GlobalState, desired: DesiredGlobal): readonly string[] {
  const differs = (name: string, is: string | number, expected: string | number): string =>
    is === expected ? '' : `Cannot change ${name} of a running gobgpd: is "${is}", expected "${expected}"; restart it`;
  return [
    differs('AS number', actual.asn, desired.asn),
    differs('router id', actual.routerId, desired.routerId),
    differs('listening port', actual.listenPort, desired.listenPort),
    differs('listening addresses', sorted(actual.listenAddresses), sorted(desired.listenAddresses)),
  ].filter((sentence) => sentence !== '');
}

export type PathPlan = {
  readonly add: readonly { readonly prefix: Cidr; readonly path: DesiredPath }[];
  readonly remove: readonly { readonly prefix: Cidr; readonly path: DesiredPath }[];
};

/** `rib` may hold paths of others: only those that originate here count. */
export function planPaths(rib: readonly RibPath[], desired: DesiredBgp['paths']): PathPlan {
  const actual = new Map(rib.filter((path) => path.local).map((path) => [path.prefix, path]));
  const add = [...desired].filter(([prefix, path]) => {
    const before = actual.get(prefix);
    return before === undefined || before.nextHop !== path.nextHop || !sameCommunities(before, path);
  });
  const remove = [...actual].filter(([prefix]) => !desired.has(prefix));
  return {
    add: add.map(([prefix, path]) => ({ prefix, path })),
    remove: remove.map(([prefix, { nextHop }]) => ({ prefix, path: { nextHop } })),
  };
}

export type PeerPlan = {
  readonly add: readonly DesiredPeer[];
  /** Their settings changed: the session has to start anew. */
  readonly replace: readonly DesiredPeer[];
  readonly remove: readonly Ip[];
  readonly unchanged: number;
};

/** `actual`: the note that each peer carries, by address. */
export function planPeers(
  actual: ReadonlyMap<Ip, string>,
  desired: DesiredBgp['peers'],
  noteOf: (peer: DesiredPeer) => string,
): PeerPlan {
  const add: DesiredPeer[] = [];
  const replace: DesiredPeer[] = [];
  for (const peer of desired.values()) {
    const note = actual.get(peer.address);
    if (note === undefined) add.push(peer);
    else if (note !== noteOf(peer)) replace.push(peer);
  }
  const remove = [...actual.keys()].filter((address) => !desired.has(address));
  return { add, replace, remove, unchanged: desired.size - add.length - replace.length };
}

const sorted = (list: readonly string[]): string => [...list].sort().join(' ');

const sameCommunities = (a: RibPath, b: DesiredPath): boolean =>
  a.communities.toSorted((x, y) => x - y).join() === (b.communities ?? []).toSorted((x, y) => x - y).join();
