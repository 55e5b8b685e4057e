// What has to be done to bring a speaker from what it has to what is desired. Pure.
import type { Cidr } from '../../lib/cidr.ts';
import type { Ip } from '../../lib/ip.ts';
import type { DesiredBgp, DesiredGlobal, DesiredPath, DesiredPeer, LargeCommunity, RibPath } from '../model/types.ts';
import type { GlobalState, ListedPeer, PathToWrite } from './codec.ts';

/** Which addresses a speaker can listen on, and a sentence for each that it cannot. */
export function listenable(
  { listenAddresses }: DesiredGlobal,
  isLocal: (address: Ip) => boolean,
): { readonly addresses: readonly Ip[]; readonly warnings: readonly string[] } {
  const addresses = listenAddresses.filter((address) => ANY.has(address) || isLocal(address));
  // Of none at all gobgpd says itself what is wrong.
  if (addresses.length === 0) return { addresses: listenAddresses, warnings: [] };
  const absent = listenAddresses.filter((address) => !addresses.includes(address));
  const warnings = absent.map(
    (address) => `Cannot listen on "${address}": no interface has it; BGP runs without until one does`,
  );
  return { addresses, warnings };
}

const ANY: ReadonlySet<string> = new Set(['0.0.0.0', '::']);

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
  /** To be withdrawn before anything is added. */
  readonly remove: readonly PathToWrite[];
  readonly add: readonly PathToWrite[];
};

/**
 * `rib` may hold paths of others: only those that originate here count. `again`: prefixes that are to be withdrawn and
 * advertised anew, because peers have them that should not.
 */
export function planPaths(
  rib: readonly RibPath[],
  desired: DesiredBgp['paths'],
  again: ReadonlySet<Cidr> = new Set(),
): PathPlan {
  const actual = new Map(rib.filter((path) => path.local).map((path) => [path.prefix, path]));
  const add = [...desired].filter(([prefix, path]) => {
    const before = actual.get(prefix);
    return before === undefined || again.has(prefix) || !samePath(before, path);
  });
  const remove = [...actual].filter(([prefix]) => !desired.has(prefix) || again.has(prefix));
  return {
    add: add.map(([prefix, path]) => ({ prefix, path })),
    remove: remove.map(([prefix, { nextHop }]) => ({ prefix, path: { nextHop } })),
  };
}

/** What differs between two desired states. */
export function changedPaths(before: DesiredBgp['paths'], after: DesiredBgp['paths']): PathPlan {
  const add = [...after].filter(([prefix, path]) => JSON.stringify(before.get(prefix)) !== JSON.stringify(path));
  const remove = [...before].filter(([prefix]) => !after.has(prefix));
  const write = ([prefix, path]: readonly [Cidr, DesiredPath]): PathToWrite => ({ prefix, path });
  return { add: add.map(write), remove: remove.map(write) };
}

export type PeerPlan = {
  readonly add: readonly DesiredPeer[];
  /** Their settings changed: the session has to start anew. */
  readonly replace: readonly DesiredPeer[];
  readonly remove: readonly Ip[];
  readonly unchanged: number;
};

/** What of a listed peer tells whether it is as desired. */
export type KnownPeer = Pick<ListedPeer, 'note' | 'password'>;

export function planPeers(
  actual: ReadonlyMap<Ip, KnownPeer>,
  desired: DesiredBgp['peers'],
  noteOf: (peer: DesiredPeer) => string,
): PeerPlan {
  const add: DesiredPeer[] = [];
  const replace: DesiredPeer[] = [];
  for (const peer of desired.values()) {
    const before = actual.get(peer.address);
    if (before === undefined) add.push(peer);
    else if (before.note !== noteOf(peer) || before.password !== (peer.password ?? '')) replace.push(peer);
  }
  const remove = [...actual.keys()].filter((address) => !desired.has(address));
  return { add, replace, remove, unchanged: desired.size - add.length - replace.length };
}

/**
 * Peers that dial us and are to have a password no more: gobgpd takes no key off its listening sockets, and the kernel would
 * drop their calls.
 */
export const keptKeys = (actual: ReadonlyMap<Ip, KnownPeer>, desired: DesiredBgp['peers']): ReadonlySet<Ip> =>
  new Set(
    [...desired.values()]
      .filter(({ password, connect }) => password === undefined && connect === 'passive')
      .map(({ address }) => address)
      .filter((address) => (actual.get(address)?.password ?? '') !== ''),
  );

/** What the kernel takes of a listening socket's option memory for one key (measured: 963 keys of 131072 bytes). */
const KEY_BYTES = 136;

/**
 * A warning when passwords come near to what the kernel holds for a listening socket; beyond it gobgpd says yes to a
 * peer whose session never comes up. `undefined`: all is well, or the limit is not known.
 */
export function keyLimitWarning(
  peers: Iterable<DesiredPeer>,
  optionMemoryBytes: number | undefined,
): string | undefined {
  const keyed = [...peers].filter(({ password }) => password !== undefined).length;
  const most = Math.floor((optionMemoryBytes ?? Number.POSITIVE_INFINITY) / KEY_BYTES);
  if (keyed <= most * 0.9) return undefined;
  return `Cannot be sure of ${keyed} peers with passwords: net.core.optmem_max is ${optionMemoryBytes}, room for about ${most}, expected at least ${Math.ceil((keyed * KEY_BYTES) / 0.9)}`;
}

const sorted = (list: readonly string[]): string => [...list].sort().join(' ');

// What is absent from a desired path reads as its default, which means the same to every peer.
function samePath(actual: RibPath, desired: DesiredPath): boolean {
  return (
    actual.nextHop === desired.nextHop &&
    actual.localPref === (desired.localPref ?? 100) &&
    actual.med === (desired.med ?? 0) &&
    numbers(actual.communities) === numbers(desired.communities) &&
    triples(actual.largeCommunities) === triples(desired.largeCommunities)
  );
}

const numbers = (list: readonly number[] = []): string => list.toSorted((a, b) => a - b).join();
const triples = (list: readonly LargeCommunity[] = []): string =>
  list
    .map((one) => one.join(':'))
    .sort()
    .join();
