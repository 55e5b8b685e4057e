// What peers have been sent that a stricter export policy keeps from them. Only for gobgpd 3.x: a soft reset of 4.x
// withdraws such paths itself.
import type { Cidr } from '../../lib/cidr.ts';
import type { Ip } from '../../lib/ip.ts';
import type { ApplyRun } from './apply.ts';
import { readPaths } from './read-paths.ts';

/** Prefixes by peer, and whether each originates here. */
export type Advertised = ReadonlyMap<Ip, ReadonlyMap<Cidr, boolean>>;
export type Withheld = { readonly address: Ip; readonly prefix: Cidr; readonly local: boolean };

export const NOTHING: Advertised = new Map();

/** What the export policy in force lets the peers have; nothing where a soft reset does all by itself. */
export async function advertisedTo(
  { rpc, codec, desired, signal }: ApplyRun,
  peers: Iterable<Ip>,
): Promise<Advertised> {
  if (codec.resetWithdraws) return NOTHING;
  const found = new Map<Ip, ReadonlyMap<Cidr, boolean>>();
  for (const peer of peers) {
    const adjacent = { peer, direction: 'adj-out' } as const;
    const paths = await readPaths({ rpc, codec }, { ownAsn: desired.global.asn, adjacent, signal });
    found.set(peer, new Map(paths.map(({ prefix, local }) => [prefix, local])));
  }
  return found;
}

/** What they may have no more. */
export async function withheldSince(run: ApplyRun, before: Advertised): Promise<readonly Withheld[]> {
  return stillInTable(run, missing(before, await advertisedTo(run, before.keys())));
}

function missing(before: Advertised, after: Advertised): readonly Withheld[] {
  return [...before].flatMap(([address, prefixes]) =>
    [...prefixes].flatMap(([prefix, local]) => (after.get(address)?.has(prefix) ? [] : [{ address, prefix, local }])),
  );
}

/** What was withdrawn meanwhile, everybody has been told. */
async function stillInTable({ rpc, codec, desired, signal }: ApplyRun, withheld: readonly Withheld[]) {
  if (withheld.length === 0) return withheld;
  const prefixes = new Set(withheld.map(({ prefix }) => prefix));
  const paths = await readPaths({ rpc, codec }, { ownAsn: desired.global.asn, prefixes, signal });
  const present = new Set(paths.map(({ prefix }) => prefix));
  return withheld.filter(({ prefix }) => present.has(prefix));
}
