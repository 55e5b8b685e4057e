// The table of address translation: what pods of a pool with `natOutgoing` send outside of all pools leaves with the
// node's address. A disabled pool still counts as inside: that is how networks elsewhere are exempted. BGP and BFD are
// never translated: with the node's address, a pod would be the node to the node's peers. Their ports are exempt whatever
// the address, since a router has more addresses than the one that a BGPPeer names, and listens at all of them.
import type { IpPool } from '../../datastore/resources/ip-pool.ts';
import { cidrFamily, cidrRange, mergeRanges } from '../../lib/cidr.ts';
import { type Family, ipFromBigInt } from '../../lib/ip.ts';
import {
  type Chain,
  type ChainName,
  type Element,
  type NftKey,
  type NftObject,
  nftKey,
  type SetName,
  type Table,
  type TableName,
} from '../../lib/nftables/ast.ts';
import { BGP_PORT_KEYS, type PortKey } from './bgp-ports.ts';
import { back, inSet, meta, notInSet, payload, rule } from './policy/statements.ts';

export const NAT_TABLE: Table = { name: 'margay-nat' as TableName, flags: [] };

export type NatInput = {
  readonly pools: readonly IpPool[];
  /** TCP ports of BGP besides 179. */
  readonly bgpPorts: readonly number[];
};

/** Empty when no pool wants translation. */
export function natObjects({ pools, bgpPorts }: NatInput): ReadonlyMap<NftKey, NftObject> {
  const families = ([4, 6] as const).filter((family) => pools.some((pool) => isTranslated(pool, family)));
  if (families.length === 0) return new Map();
  const objects = [
    postrouting(families),
    ...portsSet(bgpPorts),
    ...families.flatMap((family) => setsOf(family, pools)),
  ];
  return new Map(objects.map((object) => [nftKey(object), object]));
}

/** NF_IP_PRI_NAT_SRC (include/uapi/linux/netfilter_ipv4.h). */
const PRIORITY = 100;

const BGP_PORTS = 'bgp_ports' as SetName;
const POOLS = { 4: 'pools4' as SetName, 6: 'pools6' as SetName } as const;
const TRANSLATED = { 4: 'nat4' as SetName, 6: 'nat6' as SetName } as const;
const SOURCE = { 4: payload('ip saddr'), 6: payload('ip6 saddr') } as const;
const DESTINATION = { 4: payload('ip daddr'), 6: payload('ip6 daddr') } as const;

const isTranslated = ({ spec }: IpPool, family: Family): boolean =>
  spec.natOutgoing === true && cidrFamily(spec.cidr) === family;

// Ports are drawn at random: with the kernel's usual choice, two flows of one moment may be given the same one, and the
// second is lost.
const postrouting = (families: readonly Family[]): Chain => ({
  kind: 'chain',
  name: 'postrouting' as ChainName,
  hook: { type: 'nat', hook: 'postrouting', priority: PRIORITY, policy: 'accept' },
  rules: [
    rule(inSet([meta('l4proto'), payload('th dport')], BGP_PORTS), back),
    ...families.map((family) =>
      rule(inSet([SOURCE[family]], TRANSLATED[family]), notInSet([DESTINATION[family]], POOLS[family]), {
        kind: 'masquerade',
        flags: ['fully-random'],
      }),
    ),
  ],
});

function portsSet(bgpPorts: readonly number[]): readonly NftObject[] {
  const keys = [...BGP_PORT_KEYS, ...bgpPorts.map((port): PortKey => ['tcp', port])];
  return [
    { kind: 'set', name: BGP_PORTS, keyTypes: ['inet_proto', 'inet_service'], interval: false },
    ...keys.map((key): Element => ({ kind: 'element', set: BGP_PORTS, key })),
  ];
}

function setsOf(family: Family, pools: readonly IpPool[]): readonly NftObject[] {
  const ofFamily = pools.filter(({ spec }) => cidrFamily(spec.cidr) === family);
  return [
    ...setOf(
      TRANSLATED[family],
      family,
      ofFamily.filter((pool) => isTranslated(pool, family)),
    ),
    ...setOf(POOLS[family], family, ofFamily),
  ];
}

function setOf(set: SetName, family: Family, pools: readonly IpPool[]): readonly NftObject[] {
  const keyType = family === 4 ? 'ipv4_addr' : 'ipv6_addr';
  const elements = mergeRanges(pools.map(({ spec }) => cidrRange(spec.cidr))).map(({ first, last }): Element => {
    const [from, to] = [ipFromBigInt(first, family), ipFromBigInt(last, family)];
    return { kind: 'element', set, key: [from === to ? from : { from, to }] };
  });
  return [{ kind: 'set', name: set, keyTypes: [keyType], interval: true }, ...elements];
}
