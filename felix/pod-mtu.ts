// The MTU of pod interfaces: that of the uplink, since nothing is encapsulated; or the configured one. It is also written
// into a file, for other programs on the node that make interfaces for pods.
import { renameSync, writeFileSync } from 'node:fs';
import type { Ip } from '../lib/ip.ts';
import { listAddresses } from '../lib/linux/addresses.ts';
import { IF_PREFIX } from '../lib/linux/if-name.ts';
import { findLink, type Link, listLinks } from '../lib/linux/links.ts';
import type { Rtnl } from '../lib/linux/rtnl.ts';
import type { Log } from '../lib/log.ts';

const FALLBACK_BYTES = 1500;

export type PodMtu = {
  /** The MTU of the moment, in bytes. */
  readonly bytes: () => number;
  /** The node's addresses may be on another interface now. */
  readonly addressesChanged: () => void;
};

/**
 * The configured MTU, else that of the interface with one of the node's addresses, else 1500. Where that interface leads
 * nowhere, as the loopback of a node that speaks BGP over several links, it is the smallest of those that may. Whenever it
 * is asked for and differs from the last time, `path` is replaced by a file with the number.
 */
export function createPodMtu(options: {
  readonly rtnl: Rtnl;
  readonly nodeAddresses: () => readonly Ip[];
  readonly configuredBytes: number | undefined;
  readonly path: string;
  readonly log: Log;
}): PodMtu {
  const { rtnl, nodeAddresses, configuredBytes, path, log } = options;
  let written: number | undefined;
  // Every pod asks, and a node has as many addresses as pods.
  let uplinks: { readonly of: string; readonly names: readonly string[] } | undefined;
  const uplinkNames = (): readonly string[] => {
    const addresses = nodeAddresses();
    const of = addresses.join();
    if (uplinks?.of !== of) uplinks = { of, names: uplinksWith(rtnl, addresses) };
    return uplinks.names;
  };
  const uplinkMtu = (): number => {
    const found = uplinkNames().flatMap((name) => rtnl.linkMtu(name) ?? []);
    return found.length === 0 ? FALLBACK_BYTES : Math.min(...found);
  };
  const bytes = (): number => {
    const mtuBytes = configuredBytes ?? uplinkMtu();
    if (mtuBytes !== written) {
      try {
        writeFileSync(`${path}.new`, `${mtuBytes}\n`);
        renameSync(`${path}.new`, path);
        written = mtuBytes;
      } catch (error) {
        log.warn({ err: error, path }, 'MTU file not written');
      }
    }
    return mtuBytes;
  };
  return {
    bytes,
    addressesChanged: () => {
      uplinks = undefined;
    },
  };
}

function uplinksWith(rtnl: Rtnl, addresses: readonly Ip[]): readonly string[] {
  const index = listAddresses(rtnl).find(({ ip }) => addresses.includes(ip))?.index;
  const link = index === undefined ? undefined : findLink(rtnl, { index });
  if (link === undefined) return [];
  const uplinks = leadsNowhere(link) ? linksThatLeadOn(listLinks(rtnl)) : [link];
  return uplinks.map(({ name }) => name);
}

/** Links that are up and may lead to other machines: the physical ones, where there are any. */
export function linksThatLeadOn(links: readonly Link[]): readonly Link[] {
  const others = links.filter((each) => each.up && !leadsNowhere(each) && !each.name.startsWith(IF_PREFIX));
  const physical = others.filter(({ kind }) => kind === undefined);
  return physical.length > 0 ? physical : others;
}

// The kernel makes `lo` the first link of every namespace (include/net/flow.h LOOPBACK_IFINDEX).
const leadsNowhere = ({ index, kind }: Link): boolean => index === 1 || kind === 'dummy';
