// Rows that speak of IPv4 said again in IPv6: every address and block is replaced by the one that has it in its last 32
// bits.

import { cidrAddress, cidrLength, cidrOf, parseCidr } from '../../lib/cidr.ts';
import { ipFamily, parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import type { World } from '../../policy/oracle.ts';
import { mappedIp } from '../cyclonus/dual-stack.ts';
import type { RuleRow } from './rule-rows/shop.ts';

/** The same row in IPv6, or undefined for one that is about families and has both already. */
export function ipv6Twin({ name, given, expected }: RuleRow): RuleRow | undefined {
  const packets = Object.entries(expected);
  if ([JSON.stringify(given.policies), ...packets.map(([text]) => text)].some((text) => /::|v4|v6/.test(text))) {
    return undefined;
  }
  return {
    name: `${name}, in IPv6`,
    given: worldTwin(given),
    expected: Object.fromEntries(packets.map(([text, fate]) => [`${textTwin(text)} v6`, fate])),
  };
}

const worldTwin = (world: World): World => ({
  ...world,
  pods: world.pods.map((pod) => ({ ...pod, ips: pod.ips.filter((ip) => ipFamily(ip) === 4).map(mappedIp) })),
  policies: JSON.parse(textTwin(JSON.stringify(world.policies))),
  nodes: new Map([...(world.nodes ?? [])].map(([name, ips]) => [name, ips.map(mappedIp)])),
});

const textTwin = (text: string): string =>
  text.replace(/\d+\.\d+\.\d+\.\d+(\/\d+)?/g, (found, length) => {
    if (length === undefined) return mappedIp(unwrap(parseIp(found)));
    const cidr = unwrap(parseCidr(found));
    return cidrOf(mappedIp(cidrAddress(cidr)), 96 + cidrLength(cidr));
  });
