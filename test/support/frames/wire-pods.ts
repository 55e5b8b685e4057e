// Wires pods to the node in whose network namespace this program runs, by the code that CNI ADD uses, and prints the
// interface indexes of the host ends as JSON. Its argument is a list of `PodToWire`.
import { createWiring } from '../../../cni/wiring.ts';
import { handleOf } from '../../../ipam/handle.ts';
import type { Ip } from '../../../lib/ip.ts';
import { hostIfName, parseIfName } from '../../../lib/linux/if-name.ts';
import { replaceNeighbour } from '../../../lib/linux/neighbours.ts';
import { openRtnl } from '../../../lib/linux/rtnl.ts';
import { writeSysctl } from '../../../lib/linux/sysctl.ts';
import { createLog } from '../../../lib/log.ts';
import { unwrap } from '../../../lib/result.ts';

export type PodToWire = {
  readonly namespace: string;
  readonly name: string;
  readonly netns: string;
  readonly ips: readonly Ip[];
};

const pods: readonly PodToWire[] = JSON.parse(process.argv[2] ?? '[]');
const ifName = unwrap(parseIfName('eth0'));
const rtnl = openRtnl();
const wiring = createWiring(rtnl, createLog('wire-pods'));
writeSysctl(['net', 'ipv4', 'ip_forward'], '1');
writeSysctl(['net', 'ipv6', 'conf', 'all', 'forwarding'], '1');
const indexes: number[] = [];
for (const { namespace, name, netns, ips } of pods) {
  const { mac, hostIfindex } = await wiring.wirePod({
    handle: handleOf({ network: 'margay', containerId: `${namespace}.${name}`, ifName }),
    netns,
    ifName,
    hostIfName: hostIfName(namespace, name),
    ips,
    mtu: 1500,
  });
  // A permanent entry, since packets that wait for an answer may be dropped by the queue's length.
  for (const ip of ips) replaceNeighbour(rtnl, { index: hostIfindex, ip, mac });
  indexes.push(hostIfindex);
}
await wiring.close();
rtnl.close();
console.log(JSON.stringify(indexes));
