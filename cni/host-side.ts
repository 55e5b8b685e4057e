// The node's end of the veth: its kernel parameters, and comparing them later. The host route is not written here: it
// comes after the pod's rules, from the agent.
import type { Family } from '../lib/ip.ts';
import type { IfName } from '../lib/linux/if-name.ts';
import { findLink, IPV4_CONF, type Ipv4Conf, type Link, setLink } from '../lib/linux/links.ts';
import type { Rtnl } from '../lib/linux/rtnl.ts';
import { hasSysctl, readSysctl, type SysctlKey, writeSysctl } from '../lib/linux/sysctl.ts';
import { HOST_MAC } from './pod-side.ts';

type Setting = { readonly key: SysctlKey; readonly value: string };

/**
 * The parameters of a host end. proxy_arp answers for the pod's gateway, and without delay; forwarding does not wait
 * for the global switch; route_localnet lets service addresses lead to the node's own loopback; rp_filter refuses
 * foreign sources once more; a pod's router advertisements are never believed, and it does not choose the way of its
 * packets (RFC 791 3.1, source routes), which would pass policy by. A pod without IPv6 gets no answer in it either.
 */
export function hostSettings(name: IfName, families: readonly Family[]): readonly Setting[] {
  const v4 = (key: string): SysctlKey => ['net', 'ipv4', 'conf', name, key];
  const v6 = (key: string): SysctlKey => ['net', 'ipv6', 'conf', name, key];
  const settings: Setting[] = [
    { key: v4('proxy_arp'), value: '1' },
    { key: ['net', 'ipv4', 'neigh', name, 'proxy_delay'], value: '0' },
    { key: v4('forwarding'), value: '1' },
    { key: v4('route_localnet'), value: '1' },
    { key: v4('rp_filter'), value: '1' },
    { key: v4('accept_source_route'), value: '0' },
  ];
  if (families.includes(6)) {
    settings.push({ key: v6('disable_ipv6'), value: '0' });
    // All host ends have one MAC and so one link-local address, which is no duplicate.
    settings.push({ key: v6('accept_dad'), value: '0' });
    settings.push({ key: v6('proxy_ndp'), value: '1' });
    settings.push({ key: v6('forwarding'), value: '1' });
    settings.push({ key: v6('accept_ra'), value: '0' });
  } else if (hasSysctl(v6('disable_ipv6'))) {
    settings.push({ key: v6('disable_ipv6'), value: '1' });
    settings.push({ key: v6('accept_ra'), value: '0' });
  }
  return settings;
}

/** Writes the parameters of a new host end, and then brings it up with its alias. @throws KernelError */
export function bringUpHostSide(
  rtnl: Rtnl,
  { index, name, families, alias }: { index: number; name: IfName; families: readonly Family[]; alias: string },
): void {
  const ipv4: Partial<Record<Ipv4Conf, number>> = {};
  for (const { key, value } of hostSettings(name, families)) {
    // Most of them go along with the message that has to be sent anyway.
    const [, , kind, , conf = ''] = key;
    if (key[1] === 'ipv4' && kind === 'conf' && isIpv4Conf(conf)) ipv4[conf] = Number(value);
    else writeSysctl(key, value, 'unread');
  }
  setLink(rtnl, index, { up: true, alias, ipv4 });
}

const isIpv4Conf = (name: string): name is Ipv4Conf => Object.hasOwn(IPV4_CONF, name);

/** What differs at the node's end, in words. `podLink` is the other end, `mtu` in bytes, where they are known. @throws KernelError */
export function checkHostSide(
  rtnl: Rtnl,
  host: { name: IfName; families: readonly Family[]; podLink: Link | undefined; mtu?: number },
): readonly string[] {
  const { name, families, podLink, mtu } = host;
  const link = findLink(rtnl, { name });
  if (link === undefined) return [`host interface ${name} is missing`];
  const differences: string[] = [];
  if (!link.up) differences.push(`host interface ${name} is down`);
  if (link.mac !== HOST_MAC) differences.push(`host interface ${name} has MAC ${link.mac}, expected ${HOST_MAC}`);
  if (mtu !== undefined && link.mtu !== mtu) {
    differences.push(`host interface ${name} has MTU ${link.mtu}, expected ${mtu}`);
  }
  if (podLink !== undefined && (link.peerIndex !== podLink.index || podLink.peerIndex !== link.index)) {
    differences.push(`host interface ${name} is not the other end of ${podLink.name}`);
  }
  for (const { key, value } of hostSettings(name, families)) {
    const found = hasSysctl(key) ? readSysctl(key) : 'absent';
    if (found !== value) differences.push(`sysctl ${key.join('.')} is ${found}, expected ${value}`);
  }
  return differences;
}
