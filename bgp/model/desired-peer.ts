// The session that we want with one peer: timers, restart behaviour, and which side dials.
import type { Asn } from '../../datastore/resources/scalars.ts';
import { compareIp, type Family, type Ip, ipFamily } from '../../lib/ip.ts';
import type { DesiredPeer } from './types.ts';

/** RFC 4271 §10 suggests these ratios; both sides use the lower hold time. */
const TIMERS = { holdTimeSeconds: 90, keepaliveSeconds: 30, connectRetrySeconds: 5 };
const RESTART_SECONDS = 120;
/** How long a restarted speaker waits for its peers before it advertises. gobgpd's own default is 360. */
const DEFERRAL_SECONDS = 15;

export type PeerSpec = {
  readonly address: Ip;
  readonly port: number;
  readonly asn: Asn;
  readonly description: string;
  /** Whether the peer is a node of this cluster, and thus runs by the same rules. */
  readonly isNode: 'node' | 'other';
  /** Kubernetes duration. Absent or not understood: 30 s. */
  readonly keepaliveTime?: string | undefined;
  /** Kubernetes duration, at most 4095 s. Absent or not understood: 120 s. */
  readonly maxRestartTime?: string | undefined;
};

export function desiredPeer(
  own: { readonly address: Ip; readonly v6: Ip | undefined },
  { address, port, asn, description, isNode, keepaliveTime, maxRestartTime }: PeerSpec,
): DesiredPeer {
  const keepaliveSeconds = durationSeconds(keepaliveTime) ?? TIMERS.keepaliveSeconds;
  const families: readonly Family[] = own.v6 === undefined ? [4] : [4, 6];
  return {
    address,
    port,
    asn,
    description,
    localAddress: ipFamily(address) === 6 && own.v6 !== undefined ? own.v6 : own.address,
    // Between nodes exactly one side dials: two connections that cross are both closed by gobgpd, and the next attempt
    // is 10 s away. Any other router may dial us, and often does so sooner than gobgpd would.
    connect: isNode === 'node' && compareIp(own.address, address) > 0 ? 'passive' : 'active',
    // Nodes of two racks have routers between them, and may have AS numbers of their own.
    distance: isNode === 'node' ? { kind: 'multihop', ttl: 255 } : { kind: 'adjacent' },
    ...TIMERS,
    holdTimeSeconds: keepaliveSeconds * 3,
    keepaliveSeconds,
    gracefulRestart: {
      // Twelve bits on the wire, RFC 4724 §3.
      restartTimeSeconds: Math.min(durationSeconds(maxRestartTime) ?? RESTART_SECONDS, 4095),
      deferralTimeSeconds: DEFERRAL_SECONDS,
    },
    families,
  };
}

/** Whole seconds of `90s`, `2m`, `1h30m`; `undefined` below one second or for anything else. */
function durationSeconds(text: string | undefined): number | undefined {
  const match = /^(?:(\d+)h)?(?:(\d+)m)?(?:(\d+)s)?$/.exec(text ?? '');
  if (match === null) return undefined;
  const seconds = Number(match[1] ?? 0) * 3600 + Number(match[2] ?? 0) * 60 + Number(match[3] ?? 0);
  return seconds >= 1 && seconds <= 21_845 ? seconds : undefined;
}
