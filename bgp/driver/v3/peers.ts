// Peers of gobgpd 3.x.
import { type Ip, parseIp } from '../../../lib/ip.ts';
import type { DesiredPeer, SessionState } from '../../model/types.ts';
import type { ListedPeer } from '../codec.ts';
import type { FieldsOf, Input, Output } from '../wire/message.ts';
import type * as m from './messages.ts';
import { familyOf } from './paths.ts';

/** PeerState.SessionState by number; 0 is unknown, before the session machine runs. */
const STATES: readonly SessionState[] = ['idle', 'idle', 'connect', 'active', 'opensent', 'openconfirm', 'established'];

export function peerOut(peer: DesiredPeer, note: string): Input<FieldsOf<typeof m.peer>> {
  const restart = peer.gracefulRestart;
  const enabled = restart !== undefined;
  return {
    conf: { description: note, neighborAddress: peer.address, peerAsn: peer.asn },
    ebgpMultihop: peer.distance.kind === 'multihop' ? { enabled: true, ttl: peer.distance.ttl } : undefined,
    timers: {
      config: {
        connectRetry: peer.connectRetrySeconds,
        holdTime: peer.holdTimeSeconds,
        keepaliveInterval: peer.keepaliveSeconds,
      },
    },
    transport: {
      localAddress: peer.localAddress,
      passiveMode: peer.connect === 'passive',
      remotePort: peer.port,
    },
    gracefulRestart: enabled
      ? {
          enabled,
          restartTime: restart.restartTimeSeconds,
          deferralTime: restart.deferralTimeSeconds,
          // RFC 8538: routes outlive a NOTIFICATION as they outlive a crash.
          notificationEnabled: true,
        }
      : undefined,
    afiSafis: peer.families.map((family) => ({
      config: { family: familyOf(family), enabled: true },
      mpGracefulRestart: { config: { enabled } },
    })),
  };
}

/** `undefined` for a peer without an address. */
export function peerIn(peer: Output<FieldsOf<typeof m.peer>>, nowSeconds: number): ListedPeer | undefined {
  const address = parseIp(peer.conf?.neighborAddress ?? '');
  if (!address.ok) return undefined;
  const state = STATES[peer.state?.sessionState ?? 0] ?? 'idle';
  const since = peer.timers?.state?.uptime?.seconds ?? 0;
  const sum = (of: 'received' | 'accepted' | 'advertised'): number =>
    peer.afiSafis.reduce((total, { state: counters }) => total + (counters?.[of] ?? 0), 0);
  // gobgpd counts the End-of-RIB mark of each family as one more prefix.
  const marks = peer.gracefulRestart?.enabled ? peer.afiSafis.length : 0;
  return {
    note: peer.conf?.description ?? '',
    state: {
      address: address.value satisfies Ip,
      asn: peer.conf?.peerAsn ?? 0,
      state,
      ...(state === 'established' ? { uptimeSeconds: Math.max(0, nowSeconds - since) } : {}),
      flaps: peer.state?.flaps ?? 0,
      received: sum('received'),
      accepted: sum('accepted'),
      // It is what would be sent, also before there is a session.
      advertised: state === 'established' ? Math.max(0, sum('advertised') - marks) : 0,
      endOfRib:
        state === 'established' && peer.afiSafis.some((of) => of.mpGracefulRestart?.state?.endOfRibReceived === true),
      description: peer.conf?.description ?? '',
    },
  };
}
