// Where this process is: the boot of the kernel, the network namespace, and the machine.
import { readFileSync, readlinkSync } from 'node:fs';
import type { NetworkStack } from './model/block-holder.ts';

/** Changes with every boot of the machine (random(4)). */
export const kernelBootId = (): string => readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();

export function kernelStack(): NetworkStack {
  const systemUuid = readSystemUuid();
  return {
    // `net:[INODE]`: given again only after the namespace is gone (namespaces(7)).
    netns: readlinkSync('/proc/self/ns/net').replace(/\D/g, ''),
    ...(systemUuid === undefined ? {} : { systemUuid }),
  };
}

/** Hypervisors give a copied machine another one, whatever is on its disk. */
function readSystemUuid(): string | undefined {
  try {
    const uuid = readFileSync('/sys/class/dmi/id/product_uuid', 'utf8').trim().toLowerCase();
    // SMBIOS 7.2.1: not set, and not there.
    return /^[0-]+$|^[f-]+$/.test(uuid) ? undefined : uuid;
  } catch {
    // A machine without SMBIOS, or a container that may not read it.
    return undefined;
  }
}
