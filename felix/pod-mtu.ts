// The MTU of pod interfaces: that of the uplink, since nothing is encapsulated; or the configured one. It is also written
// into a file, for other programs on the node that make interfaces for pods.
import { renameSync, writeFileSync } from 'node:fs';
import type { Ip } from '../lib/ip.ts';
import { listAddresses } from '../lib/linux/addresses.ts';
import { findLink } from '../lib/linux/links.ts';
import type { Rtnl } from '../lib/linux/rtnl.ts';
import type { Log } from '../lib/log.ts';

const FALLBACK_BYTES = 1500;

/**
 * Tells the MTU of the moment, in bytes: the configured one, else that of the interface with one of the node's
 * addresses, else 1500. Whenever it differs from the last time, `path` is replaced by a file with the number.
 */
export function createPodMtu(options: {
  readonly rtnl: Rtnl;
  readonly nodeAddresses: () => readonly Ip[];
  readonly configuredBytes: number | undefined;
  readonly path: string;
  readonly log: Log;
}): () => number {
  const { rtnl, nodeAddresses, configuredBytes, path, log } = options;
  let written: number | undefined;
  return () => {
    const mtuBytes = configuredBytes ?? uplinkMtu(rtnl, nodeAddresses());
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
}

function uplinkMtu(rtnl: Rtnl, nodeAddresses: readonly Ip[]): number {
  const index = listAddresses(rtnl).find(({ ip }) => nodeAddresses.includes(ip))?.index;
  return (index === undefined ? undefined : findLink(rtnl, { index })?.mtu) ?? FALLBACK_BYTES;
}
