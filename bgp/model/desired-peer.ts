// The session that we want with one peer: timers, restart behaviour, password, and which side dials.
import type { BgpPeerSpec } from '../../datastore/resources/bgp-peer.ts';
import { durationMs, durationSeconds } from '../../datastore/resources/duration.ts';
import type { Asn } from '../../datastore/resources/scalars.ts';
import { compareIp, ipFamily } from '../../lib/ip.ts';
import { err, ok, type Result } from '../../lib/result.ts';
import type { Session } from './sessions.ts';
import { addressOf, familiesOf, type Speaker } from './speakers.ts';
import type { DesiredPeer, PeerDistance } from './types.ts';

/** RFC 4271 §10 suggests these ratios; both sides use the lower hold time. */
const KEEPALIVE_SECONDS = 30;
const CONNECT_RETRY_SECONDS = 5;
const RESTART_SECONDS = 120;
/** How long a restarted speaker waits for its peers before it advertises. gobgpd's own default is 360. */
const DEFERRAL_SECONDS = 15;
/** A node sends a handful of blocks and what it reflects, a router above some ranges: more is a leak. */
const MAX_PREFIXES = { node: 50_000, other: 1_000 } as const;
const ANY_TTL = 255;
const BFD = { intervalMs: 300, multiplier: 3 } as const;

/** Finds the password that a session is keyed with; `undefined`: it has none. */
export type PasswordOf = (settings: BgpPeerSpec) => Result<string | undefined>;

export function desiredPeer(own: Speaker, session: Session, passwordOf: PasswordOf): Result<DesiredPeer> {
  const { address, port, asn, description, node, settings } = session;
  const family = ipFamily(address);
  const local = addressOf(own, family);
  if (local === undefined && settings.sourceAddress !== 'None') {
    return err(`node "${own.name}" has no IPv${family} address, expected one to reach "${address}" from`);
  }
  const password = passwordOf(settings);
  if (!password.ok) return password;
  const families = familiesOf(own).filter((each) => node === undefined || addressOf(node, each) !== undefined);
  const localAsn = claimedAsn(own, settings);
  return ok({
    address,
    port,
    asn,
    ...(localAsn === own.asn ? {} : { localAsn }),
    description,
    ...(local === undefined || settings.sourceAddress === 'None' ? {} : { localAddress: local }),
    ...(password.value === undefined ? {} : { password: password.value }),
    // Between nodes exactly one side dials: two connections that cross are both closed by gobgpd, and the next attempt
    // is 10 s away. Any other router may dial us, and often does so sooner than gobgpd would.
    connect: node !== undefined && local !== undefined && compareIp(local, address) > 0 ? 'passive' : 'active',
    distance: distanceOf(session),
    ...timersOf(settings),
    ...restartOf(settings),
    families: families.length > 0 ? families : [family],
    ...reflectionOf(own, session),
    ...(settings.numAllowedLocalASNumbers ? { allowedOwnAsns: settings.numAllowedLocalASNumbers } : {}),
    maxPrefixes: settings.maxPrefixes ?? MAX_PREFIXES[node === undefined ? 'other' : 'node'],
  });
}

/** The AS number that a node claims towards a peer. */
export const claimedAsn = (own: Speaker, settings: BgpPeerSpec): Asn => settings.localASNumber ?? own.asn;

function distanceOf({ node, settings }: Session): PeerDistance {
  const { ttlSecurity, ebgpMultihop, reachableBy } = settings;
  if (ttlSecurity !== undefined) return { kind: 'secured', hops: ttlSecurity };
  if (ebgpMultihop !== undefined) return { kind: 'multihop', ttl: ebgpMultihop };
  // Nodes of two racks have routers between them, and may have AS numbers of their own.
  return node !== undefined || reachableBy !== undefined ? { kind: 'multihop', ttl: ANY_TTL } : { kind: 'adjacent' };
}

function timersOf({ keepaliveTime, holdTime, connectRetry }: BgpPeerSpec) {
  const hold = durationSeconds(holdTime);
  const keepalive = durationSeconds(keepaliveTime) ?? (hold === undefined ? KEEPALIVE_SECONDS : Math.floor(hold / 3));
  return {
    holdTimeSeconds: hold ?? keepalive * 3,
    keepaliveSeconds: keepalive,
    connectRetrySeconds: durationSeconds(connectRetry) ?? CONNECT_RETRY_SECONDS,
  };
}

function restartOf({ bfd, gracefulRestart, maxRestartTime }: BgpPeerSpec): Partial<DesiredPeer> {
  if (bfd !== undefined) {
    return {
      bfd: {
        receiveMs: durationMs(bfd.receiveInterval ?? '') ?? BFD.intervalMs,
        transmitMs: durationMs(bfd.transmitInterval ?? '') ?? BFD.intervalMs,
        multiplier: bfd.detectMultiplier ?? BFD.multiplier,
      },
    };
  }
  if (gracefulRestart?.enabled === false) return {};
  return {
    gracefulRestart: {
      restartTimeSeconds: durationSeconds(maxRestartTime ?? gracefulRestart?.restartTime) ?? RESTART_SECONDS,
      deferralTimeSeconds: durationSeconds(gracefulRestart?.deferralTime) ?? DEFERRAL_SECONDS,
    },
  };
}

// Whoever is of the same AS and not of the same cluster is a client, other reflectors among them (RFC 4456 §7 has
// CLUSTER_LIST keep the loops out).
function reflectionOf(own: Speaker, { asn, node, settings }: Session): Partial<DesiredPeer> {
  const { clusterId } = own;
  if (clusterId === undefined || asn !== claimedAsn(own, settings) || node?.clusterId === clusterId) return {};
  return { routeReflector: { clusterId } };
}
