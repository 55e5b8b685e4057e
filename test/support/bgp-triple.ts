// Three speakers in a row for tests of the driver: ours in the middle waits, the others dial it.
import type { DesiredPolicies, RoutePolicy, RouteStatement } from '../../bgp/model/route-policy.ts';
import type { DesiredBgp, DesiredPath, DesiredPeer } from '../../bgp/model/types.ts';
import { asn, cidr, ip } from './bgp-world.ts';

export const ADDRESS = { own: '198.51.100.1', a: '198.51.100.11', b: '198.51.100.12' } as const;
const ASN = { own: 64512, a: 64601, b: 64602 } as const;
type Name = keyof typeof ADDRESS;

export const ACCEPT: RoutePolicy = { statements: [], otherwise: 'accept' };
export const OWN: RouteStatement = { name: 'own', match: { source: 'local' }, action: 'accept' };
const EXPORT_OWN: RoutePolicy = { statements: [OWN], otherwise: 'reject' };

/** What a speaker with these peers and paths wants; the one in the middle waits, the others dial. */
export function desired(
  name: Name,
  peers: readonly (Partial<DesiredPeer> & { readonly to: Name | 'c' })[],
  paths: Readonly<Record<string, Omit<DesiredPath, 'nextHop'>>>,
  policies: Partial<DesiredPolicies> = {},
): DesiredBgp {
  const own = ip(ADDRESS[name]);
  const all = peers.map(({ to, ...change }): DesiredPeer => {
    const address = ip(to === 'c' ? '198.51.100.13' : ADDRESS[to]);
    return {
      address,
      port: 179,
      asn: asn(to === 'c' ? 64603 : ASN[to]),
      description: `peer ${to}`,
      localAddress: own,
      connect: name === 'own' ? 'passive' : 'active',
      distance: { kind: 'adjacent' },
      holdTimeSeconds: 90,
      keepaliveSeconds: 30,
      connectRetrySeconds: 1,
      // Longer than any wait here: a speaker that defers would be found out.
      gracefulRestart: { restartTimeSeconds: 120, deferralTimeSeconds: 300 },
      families: [4],
      ...change,
    };
  });
  return {
    global: { asn: asn(ASN[name]), routerId: own, listenPort: 179, listenAddresses: [own] },
    peers: new Map(all.map((peer) => [peer.address, peer])),
    paths: new Map(Object.entries(paths).map(([prefix, path]) => [cidr(prefix), { nextHop: own, ...path }])),
    policies: { import: ACCEPT, export: EXPORT_OWN, ...policies },
  };
}
