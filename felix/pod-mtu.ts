// The MTU of pod interfaces: that of the uplink, since nothing is encapsulated; or the configured one. It is also written
// into a file, for other programs on the node that make interfaces for pods.
import { renameSync, writeFileSync } from 'node:fs';
import type { Ip } from '../lib/ip.ts';
import { listAddresses } from '../lib/linux/addresses.ts';
import { findLink } from '../lib/linux/links.ts';
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
 * The configured MTU, else that of the interface with one of the node's addresses, else 1500. Whenever it is asked for and
 * differs from the last time, `path` is replaced by a file with the number.
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
  let uplink: { readonly of: string; readonly name: string | undefined } | undefined;
  const uplinkName = (): string | undefined => {
    const addresses = nodeAddresses();
    const of = addresses.join();
    if (uplink?.of !== of) uplink = { of, name: nameOfLinkWith(rtnl, addresses) };
    return uplink.name;
  };
  const uplinkMtu = (): number => {
    const name = uplinkName();
    return (name === undefined ? undefined : rtnl.linkMtu(name)) ?? FALLBACK_BYTES;
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
      uplink = undefined;
    },
  };
}

function nameOfLinkWith(rtnl: Rtnl, addresses: readonly Ip[]): string | undefined {
  const index = listAddresses(rtnl).find(({ ip }) => addresses.includes(ip))?.index;
  return index === undefined ? undefined : findLink(rtnl, { index })?.name;
}
