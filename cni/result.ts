// The answer to a successful ADD, in the words of each version of the specification.
import { familyBits, type Ip, ipFamily } from '../lib/ip.ts';
import type { IfName } from '../lib/linux/if-name.ts';
import { familiesOf, GATEWAYS, HOST_MAC } from './pod-side.ts';
import type { CniVersion } from './spec.ts';

export type AddResult = {
  readonly hostIfName: IfName;
  readonly ifName: IfName;
  readonly netns: string;
  readonly mac: string;
  readonly ips: readonly Ip[];
  readonly mtu: number;
  /** Handed through from the network configuration. */
  readonly dns?: Readonly<Record<string, unknown>>;
};

/**
 * JSON text. Until 0.4.0 every address tells its family (`version`, CNI SPEC 0.4.0 Result); `mtu` came with 1.1.0.
 * Addresses have no `gateway`: it is in no subnet of theirs.
 */
export function printResult({ hostIfName, ifName, netns, mac, ips, mtu, dns }: AddResult, version: CniVersion): string {
  const size = version === '1.1.0' ? { mtu } : {};
  const tellsFamily = version === '0.3.1' || version === '0.4.0';
  const result = {
    cniVersion: version,
    interfaces: [
      { name: hostIfName, mac: HOST_MAC, ...size },
      { name: ifName, mac, ...size, sandbox: netns },
    ],
    ips: ips.map((ip) => ({
      ...(tellsFamily ? { version: String(ipFamily(ip)) } : {}),
      address: `${ip}/${familyBits(ipFamily(ip))}`,
      interface: 1,
    })),
    routes: familiesOf(ips).map((family) => ({ dst: family === 4 ? '0.0.0.0/0' : '::/0', gw: GATEWAYS[family] })),
    dns: dns ?? {},
  };
  return `${JSON.stringify(result)}\n`;
}
