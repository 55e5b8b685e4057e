// The paths that a node originates: its blocks, its addresses outside of them, and service addresses; with the
// communities that BGPConfiguration gives them, and with GRACEFUL_SHUTDOWN while the node drains.
import { isCommunity } from '../../datastore/resources/community.ts';
import type { IpPool } from '../../datastore/resources/ip-pool.ts';
import { type Cidr, cidrContains, cidrContainsCidr, cidrFamily, cidrOf } from '../../lib/cidr.ts';
import { familyBits, type Ip, ipFamily } from '../../lib/ip.ts';
import { communityOf, communitySet, GRACEFUL_SHUTDOWN } from './community.ts';
import type { Community } from './route-policy.ts';
import { addressOf, type Speaker } from './speakers.ts';
import type { DesiredPath } from './types.ts';

/**
 * How far a node has gone from its traffic. `announced`: its paths say so (RFC 8326), so that others are taken where there
 * are others, and service addresses are withdrawn. `withdrawn`: it advertises nothing.
 */
export type Drain = 'announced' | 'withdrawn';

export type OwnPathsInput = {
  readonly own: Speaker;
  readonly blocks: readonly Cidr[];
  readonly addresses: readonly Ip[];
  readonly services: Iterable<Cidr>;
  readonly pools: readonly IpPool[];
  readonly draining: Drain | undefined;
};

export function ownPaths(input: OwnPathsInput, problems: string[]): ReadonlyMap<Cidr, DesiredPath> {
  const { own, blocks, pools, draining } = input;
  const paths = new Map<Cidr, DesiredPath>();
  if (draining === 'withdrawn') return paths;
  const communitiesOf = createAdvertisements(own, problems);
  const originate = (what: string, prefix: Cidr): void => {
    const nextHop = addressOf(own, cidrFamily(prefix));
    if (nextHop === undefined) {
      problems.push(
        `Cannot advertise ${what} "${prefix}": node "${own.name}" has no IPv${cidrFamily(prefix)} address, expected one`,
      );
      return;
    }
    const { standard, large } = communitySet([...communitiesOf(prefix), ...(draining === undefined ? [] : [SHUTDOWN])]);
    paths.set(prefix, {
      nextHop,
      ...(standard.length === 0 ? {} : { communities: standard }),
      ...(large.length === 0 ? {} : { largeCommunities: large }),
      // For iBGP peers that do not know the community (RFC 8326 §4.2).
      ...(draining === undefined ? {} : { localPref: 0 }),
    });
  };
  // A block outside every pool is advertised too: its pool may be gone while its pods still run.
  const hidden = pools.filter((pool) => pool.spec.disableBGPExport === true).map((pool) => pool.spec.cidr);
  const visible = (prefix: Cidr): boolean => !hidden.some((pool) => cidrContainsCidr(pool, prefix));
  for (const block of [...blocks].sort()) if (visible(block)) originate('block', block);
  const strays = input.addresses.filter((ip) => !blocks.some((block) => cidrContains(block, ip)));
  for (const ip of [...new Set(strays)].sort()) {
    const prefix = cidrOf(ip, familyBits(ipFamily(ip)));
    if (visible(prefix)) originate('address', prefix);
  }
  if (draining === undefined) {
    for (const prefix of [...input.services].sort()) originate('service address', prefix);
  }
  return paths;
}

const SHUTDOWN: Community = { kind: 'standard', value: GRACEFUL_SHUTDOWN };

/** The communities of a prefix by `prefixAdvertisements`. */
function createAdvertisements(own: Speaker, problems: string[]): (prefix: Cidr) => readonly Community[] {
  const { communities = [], prefixAdvertisements = [] } = own.configuration;
  const named = new Map(communities.map(({ name, value }) => [name, value]));
  const ranges = prefixAdvertisements.map(({ cidr, communities: wanted = [] }) => {
    const values = wanted.flatMap((text) => {
      const value = isCommunity(text) ? text : named.get(text);
      if (value === undefined)
        problems.push(
          `Cannot add community "${text}" to paths inside "${cidr}": no entry of communities has this name, expected one`,
        );
      return value === undefined ? [] : [communityOf(value)];
    });
    return { cidr, values };
  });
  return (prefix) => ranges.flatMap(({ cidr, values }) => (cidrContainsCidr(cidr, prefix) ? values : []));
}
