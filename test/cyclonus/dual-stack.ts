// The generated cases speak of IPv4 alone. Here they get a second family that means the same: every pod an IPv6 address
// made of its IPv4 one, every ipBlock a twin that holds exactly the addresses so made.
import type { NetworkPolicy, NetworkPolicyPeer } from '../../datastore/resources/network-policy.ts';
import { type Cidr, cidrAddress, cidrFamily, cidrLength, cidrOf } from '../../lib/cidr.ts';
import { type Ip, ipFamily, ipFromBigInt, ipToBigInt, parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import type { World } from '../../policy/oracle.ts';

const PREFIX = ipToBigInt(unwrap(parseIp('fd00:10:244::')));

/** fd00:10:244:: with the IPv4 address as its last 32 bits. */
export const mappedIp = (ip: Ip): Ip => ipFromBigInt(PREFIX | ipToBigInt(ip), 6);

/** The world with both families, of which either has the verdicts of the one given. */
export function dualStack(world: World): World {
  return {
    ...world,
    pods: world.pods.map((pod) => ({
      ...pod,
      ips: pod.ips.flatMap((ip) => (ipFamily(ip) === 4 ? [ip, mappedIp(ip)] : [ip])),
    })),
    policies: world.policies.map((policy) => (policy.kind === 'NetworkPolicy' ? withTwins(policy) : policy)),
  };
}

function withTwins(policy: NetworkPolicy): NetworkPolicy {
  const { ingress, egress } = policy.spec;
  return {
    ...policy,
    spec: {
      ...policy.spec,
      ...(ingress && { ingress: ingress.map((rule) => ({ ...rule, ...(rule.from && { from: twins(rule.from) }) })) }),
      ...(egress && { egress: egress.map((rule) => ({ ...rule, ...(rule.to && { to: twins(rule.to) }) })) }),
    },
  };
}

const twins = (peers: readonly NetworkPolicyPeer[]): NetworkPolicyPeer[] =>
  peers.flatMap((peer) => (peer.ipBlock === undefined ? [peer] : [peer, { ipBlock: twinOf(peer.ipBlock) }]));

type IpBlock = NonNullable<NetworkPolicyPeer['ipBlock']>;

function twinOf({ cidr, except }: IpBlock): IpBlock {
  return { cidr: mappedCidr(cidr), ...(except && { except: except.map(mappedCidr) }) };
}

function mappedCidr(cidr: Cidr): Cidr {
  if (cidrFamily(cidr) === 6) return cidr;
  return cidrOf(mappedIp(cidrAddress(cidr)), 96 + cidrLength(cidr));
}
