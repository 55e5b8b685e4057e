// The pod's end of the veth: addresses as /32 (/128), and everything else by a gateway that does not exist. Its hardware
// address is written down as a permanent neighbour entry, so that a pod reaches its node also where proxy ARP would not
// answer (the node has no route to 169.254.1.1), and without waiting for an answer.
import { cidrContains, cidrOf, parseCidr } from '../lib/cidr.ts';
import { type Family, familyBits, type Ip, ipFamily, parseIp } from '../lib/ip.ts';
import { addAddressRequest, type LinkAddress, listAddresses } from '../lib/linux/addresses.ts';
import type { IfName } from '../lib/linux/if-name.ts';
import { findLink, type Link, setLinkRequest } from '../lib/linux/links.ts';
import { listNeighbours, replaceNeighbourRequest } from '../lib/linux/neighbours.ts';
import { inNetns, inOpenNetns } from '../lib/linux/netns.ts';
import { dumpRoutes, type Route, replaceRouteRequest } from '../lib/linux/routes.ts';
import { openRtnl, type Rtnl } from '../lib/linux/rtnl.ts';
import { type SysctlKey, writeSysctl } from '../lib/linux/sysctl.ts';
import { unwrap } from '../lib/result.ts';

/** Hardware address of every host end. */
export const HOST_MAC = 'ee:ee:ee:ee:ee:ee';

/** What pods have as their gateway; the IPv6 one is the link-local address that belongs to the host end's MAC. */
export const GATEWAYS = {
  4: unwrap(parseIp('169.254.1.1')),
  6: unwrap(parseIp('fe80::ecee:eeff:feee:eeee')),
} as const satisfies Record<Family, Ip>;

export type PodSide = { readonly netns: string; readonly ifName: IfName; readonly ips: readonly Ip[] };

const LINK_LOCAL = unwrap(parseCidr('fe80::/10')); // RFC 4291 2.5.6
const RTPROT_STATIC = 4; // include/uapi/linux/rtnetlink.h
const LOOPBACK_IFINDEX = 1; // include/net/flow.h: `lo` is the first link of every namespace
const IP_FORWARD: SysctlKey = ['net', 'ipv4', 'ip_forward'];
const IP6_FORWARDING: SysctlKey = ['net', 'ipv6', 'conf', 'all', 'forwarding'];
const DISABLE_IPV6 = (ifName: string): SysctlKey => ['net', 'ipv6', 'conf', ifName, 'disable_ipv6'];

/**
 * Brings the pod's end `index` up, in one message to the kernel. Without effect outside the pod's namespace, which
 * `netnsFd` is; what it did goes with the link.
 * @throws KernelError
 */
export function configurePodSide(
  netnsFd: number,
  { ifName, ips, index }: Pick<PodSide, 'ifName' | 'ips'> & { readonly index: number },
): void {
  const families = familiesOf(ips);
  const requests = [
    setLinkRequest(LOOPBACK_IFINDEX, { up: true }),
    setLinkRequest(index, { up: true }),
    ...ips.map((ip) => addAddressRequest({ index, ip, prefixLength: familyBits(ipFamily(ip)) })),
    ...families.flatMap((family) => [
      replaceNeighbourRequest({ index, ip: GATEWAYS[family], mac: HOST_MAC }),
      ...podRoutes(family, index).map(replaceRouteRequest),
    ]),
  ];
  inOpenNetns(netnsFd, () =>
    withRtnl((rtnl) => {
      // A pod routes nothing; what the kernel gives a new namespace may be the node's own setting.
      writeSysctl(IP_FORWARD, '0');
      if (families.includes(6)) {
        for (const name of ['all', 'lo', ifName]) writeSysctl(DISABLE_IPV6(name), '0');
        writeSysctl(IP6_FORWARDING, '0');
      }
      const failure = rtnl.requestAll(requests).find((each) => each !== undefined);
      if (failure !== undefined) throw failure;
    }),
  );
}

/** The link named `ifName` in the namespace; `undefined`: there is none. @throws KernelError */
export const findPodLink = ({ netns, ifName }: Pick<PodSide, 'netns' | 'ifName'>): Link | undefined =>
  inPod(netns, (rtnl) => findLink(rtnl, { name: ifName }));

export type ExpectedPodSide = PodSide & {
  /** Absent: any. */
  readonly mac?: string;
  /** In bytes. Absent: any. */
  readonly mtu?: number;
  /** Addresses that somebody has put there besides, with prefix length. */
  readonly others: readonly string[];
  /** Families whose default route is still ours. */
  readonly defaultRoutes: readonly Family[];
  /** Families whose gateway has to be written down as a neighbour. */
  readonly neighbours: readonly Family[];
};

/** What differs from what `configurePodSide()` leaves, in words. @throws KernelError when the namespace is gone */
export function checkPodSide(expected: ExpectedPodSide): {
  readonly link: Link | undefined;
  readonly differences: readonly string[];
} {
  const { netns, ifName, ips, mac, mtu, others } = expected;
  return inPod(netns, (rtnl) => {
    const link = findLink(rtnl, { name: ifName });
    if (link === undefined) return { link, differences: [`interface ${ifName} is missing in ${netns}`] };
    const differences: string[] = [];
    if (!link.up) differences.push(`interface ${ifName} is down`);
    if (mac !== undefined && link.mac !== mac)
      differences.push(`interface ${ifName} has MAC ${link.mac}, expected ${mac}`);
    if (mtu !== undefined && link.mtu !== mtu)
      differences.push(`interface ${ifName} has MTU ${link.mtu}, expected ${mtu}`);
    differences.push(...addressDifferences(listAddresses(rtnl, link.index), { ifName, ips, others }));
    // Others may have moved a route, to a table of its own for instance, so that it counts where it leads.
    const [routes, neighbours] = [dumpRoutes(rtnl, { tables: 'all' }), listNeighbours(rtnl, link.index)];
    const missing = expected.defaultRoutes
      .flatMap((family) => podRoutes(family, link.index))
      .filter((route) => !routes.some((each) => leadsTheSameWay(route, each)));
    differences.push(...missing.map(({ dst }) => `route ${dst} by ${ifName} is missing in ${netns}`));
    for (const family of expected.neighbours) {
      if (!neighbours.some((each) => each.ip === GATEWAYS[family] && each.mac === HOST_MAC)) {
        differences.push(`neighbour ${GATEWAYS[family]} of ${ifName} is missing in ${netns}`);
      }
    }
    return { link, differences };
  });
}

function addressDifferences(
  found: readonly LinkAddress[],
  { ifName, ips, others }: Pick<ExpectedPodSide, 'ifName' | 'ips' | 'others'>,
): readonly string[] {
  const own = ips.map((ip) => `${ip}/${familyBits(ipFamily(ip))}`);
  // The kernel gives IPv6 links an address of their own.
  const global = found
    .filter(({ ip }) => !cidrContains(LINK_LOCAL, ip))
    .map((each) => `${each.ip}/${each.prefixLength}`);
  return [
    ...own.filter((each) => !global.includes(each)).map((each) => `address ${each} is missing on ${ifName}`),
    ...global
      .filter((each) => !own.includes(each) && !others.includes(each))
      .map((each) => `address ${each} on ${ifName} is nobody's, expected to be in prevResult`),
  ];
}

const leadsTheSameWay = (wanted: Route, found: Route): boolean =>
  found.dst === wanted.dst &&
  found.type === wanted.type &&
  found.oif === wanted.oif &&
  wanted.nextHops.every(({ gateway, oif }) => found.nextHops.some((hop) => hop.gateway === gateway && hop.oif === oif));

export const familiesOf = (ips: readonly Ip[]): readonly Family[] => [...new Set(ips.map(ipFamily))];

// The default route by a gateway that an on-link route of its own makes reachable.
function podRoutes(family: Family, oif: number): readonly Route[] {
  const gateway = GATEWAYS[family];
  const base = { type: 'unicast', protocol: RTPROT_STATIC } as const;
  const any = cidrOf(unwrap(parseIp(family === 4 ? '0.0.0.0' : '::')), 0);
  // IPv6 makes 1024 of metric 0, and link-local gateways need no route.
  if (family === 6) return [{ ...base, dst: any, metric: 1024, nextHops: [{ gateway, oif }] }];
  return [
    { ...base, dst: cidrOf(gateway, 32), metric: 0, oif, nextHops: [] },
    { ...base, dst: any, metric: 0, nextHops: [{ gateway, oif }] },
  ];
}

// The socket stays in the pod's namespace; so do the files below /proc/sys while the thread is there. All of it is
// synchronous, so that one stay is enough.
const inPod = <T>(netns: string, work: (rtnl: Rtnl) => T): T => inNetns(netns, () => withRtnl(work));

function withRtnl<T>(work: (rtnl: Rtnl) => T): T {
  const rtnl = openRtnl();
  try {
    return work(rtnl);
  } finally {
    rtnl.close();
  }
}
