// The node-wide sysctls that a routing node needs. Those of single interfaces belong to the wiring of a pod.
import { hasSysctl, type SysctlKey, writeSysctl } from '../../lib/linux/sysctl.ts';

const WANTED: readonly { readonly key: SysctlKey; readonly value: string }[] = [
  { key: ['net', 'ipv4', 'ip_forward'], value: '1' },
  { key: ['net', 'ipv6', 'conf', 'all', 'forwarding'], value: '1' },
  // Equal paths share by flow, not by destination alone.
  { key: ['net', 'ipv4', 'fib_multipath_hash_policy'], value: '1' },
];

/** Writes what differs. @throws KernelError when a file that is there cannot be written */
export function applyNodeSysctls(): void {
  for (const { key, value } of WANTED) if (hasSysctl(key)) writeSysctl(key, value);
}
