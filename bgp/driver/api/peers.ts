// Peers: from what we want to the message, and from a listed one to its state.
import { type Family, type Ip, parseIp } from '../../../lib/ip.ts';
import type { DesiredPeer, PeerFamilyState, PeerState, SessionState } from '../../model/types.ts';
import type { ListedPeer } from '../codec.ts';
import type { FieldsOf, Input, Output } from '../wire/message.ts';
import type * as m from './messages.ts';
import { familyOf } from './paths.ts';

type WirePeer = Output<FieldsOf<typeof m.peer>>;

/** PeerState.SessionState by number; 0 is unknown, before the session machine runs. */
/**
 * Pause after a session was refused or reset. gobgpd's own is 30: so long a node would be away whose neighbour was not yet
 * told of it when it called.
 */
const IDLE_HOLD_SECONDS = 5;

const STATES: readonly SessionState[] = ['idle', 'idle', 'connect', 'active', 'opensent', 'openconfirm', 'established'];
/** PeerState.AdminState PFX_CT in 3.x. */
const OVER_LIMIT = 2;
/** BfdSessionState by number. */
const BFD_STATES = ['down', 'up', 'down', 'admin-down', 'init'] as const;
/** RFC 5881 §4. */
const BFD_PORT = 3784;
/** PeerState.DisconnectReason by number; 0: none. */
const REASONS = [
  '',
  'administratively down',
  'hold timer expired',
  'NOTIFICATION sent',
  'NOTIFICATION received',
  'reading from the connection failed',
  'writing to the connection failed',
  'idle timer expired',
  'restart timer expired',
  'graceful restart',
  'invalid message',
  'hard reset',
  'deconfigured',
  'wrong AS number of the peer',
];

export function peerOut(peer: DesiredPeer, note: string): Input<FieldsOf<typeof m.peer>> {
  const { distance, routeReflector, gracefulRestart: restart, bfd } = peer;
  const enabled = restart !== undefined;
  return {
    conf: {
      authPassword: peer.password,
      description: note,
      localAsn: peer.localAsn,
      neighborAddress: peer.address,
      peerAsn: peer.asn,
      allowOwnAsn: peer.allowedOwnAsns,
    },
    ebgpMultihop: distance.kind === 'multihop' ? { enabled: true, ttl: distance.ttl } : undefined,
    // RFC 5082 §3: a packet sent with TTL 255 over one hop arrives with 255.
    ttlSecurity: distance.kind === 'secured' ? { enabled: true, ttlMin: 256 - distance.hops } : undefined,
    routeReflector: routeReflector && { client: true, clusterId: routeReflector.clusterId },
    timers: {
      config: {
        connectRetry: peer.connectRetrySeconds,
        holdTime: peer.holdTimeSeconds,
        keepaliveInterval: peer.keepaliveSeconds,
        idleHoldAfterReset: IDLE_HOLD_SECONDS,
      },
    },
    transport: {
      localAddress: peer.localAddress,
      passiveMode: peer.connect === 'passive',
      remotePort: peer.port,
    },
    // Never `local_restarting`: with it gobgpd holds back all routes until every peer is there.
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
      prefixLimits:
        peer.maxPrefixes === undefined ? undefined : { family: familyOf(family), maxPrefixes: peer.maxPrefixes },
    })),
    bfd: bfd && {
      enabled: true,
      port: BFD_PORT,
      transmit: bfd.transmitMs * 1000,
      receive: bfd.receiveMs * 1000,
      multiplier: bfd.multiplier,
    },
  };
}

/** `shift`: what 4.x adds to most enums. `undefined` for a peer without an address. */
export function peerIn(peer: WirePeer, nowSeconds: number, shift: 0 | 1): ListedPeer | undefined {
  const address = parseIp(peer.conf?.neighborAddress ?? '');
  if (!address.ok) return undefined;
  const state = STATES[peer.state?.sessionState ?? 0] ?? 'idle';
  const established = state === 'established';
  const families = familiesIn(peer, { established, shift });
  const sum = (of: 'received' | 'accepted' | 'advertised'): number =>
    families.values().reduce((total, counters) => total + counters[of], 0);
  const lastError = lastErrorIn(peer);
  const opensReceived = peer.state?.messages?.received?.open ?? 0;
  return {
    note: peer.conf?.description ?? '',
    password: peer.conf?.authPassword ?? '',
    hasBfd: peer.bfd?.enabled ?? false,
    state: {
      address: address.value satisfies Ip,
      asn: peer.conf?.peerAsn ?? 0,
      state,
      ...(established ? { uptimeSeconds: Math.max(0, nowSeconds - (peer.timers?.state?.uptime?.seconds ?? 0)) } : {}),
      flaps: peer.state?.flaps ?? 0,
      received: sum('received'),
      accepted: sum('accepted'),
      advertised: sum('advertised'),
      endOfRib: families.values().some(({ endOfRib }) => endOfRib),
      description: peer.conf?.description ?? '',
      families,
      ...(opensReceived === 0 ? {} : { opensReceived }),
      ...(lastError === '' ? {} : { lastError }),
      ...(peer.state?.adminState === OVER_LIMIT + shift ? { overLimit: true } : {}),
      ...bfdIn(peer),
    },
  };
}

function familiesIn(
  peer: WirePeer,
  { established, shift }: { readonly established: boolean; readonly shift: 0 | 1 },
): ReadonlyMap<Family, PeerFamilyState> {
  // gobgpd 3.x counts the End-of-RIB mark of each family as one more prefix. Peers without graceful restart get none.
  const marks = shift === 0 && peer.gracefulRestart?.enabled && peerRestarts(peer) ? 1 : 0;
  const found = new Map<Family, PeerFamilyState>();
  for (const { config, state, mpGracefulRestart } of peer.afiSafis) {
    const { afi, safi } = config?.family ?? state?.family ?? { afi: 0, safi: 0 };
    if (safi !== 1 || (afi !== 1 && afi !== 2)) continue;
    found.set(afi === 1 ? 4 : 6, {
      received: state?.received ?? 0,
      accepted: state?.accepted ?? 0,
      // It is what would be sent, also before there is a session.
      advertised: established ? Math.max(0, (state?.advertised ?? 0) - marks) : 0,
      endOfRib: established && mpGracefulRestart?.state?.endOfRibReceived === true,
    });
  }
  return found;
}

/** It has told of the capability in its OPEN, as read from 3.x. */
const peerRestarts = ({ state }: WirePeer): boolean =>
  state?.remoteCapabilities.some(({ typeUrl }) => typeUrl.endsWith('.GracefulRestartCapability')) === true;

function lastErrorIn({ state }: WirePeer): string {
  const reason = REASONS[state?.disconnectReason ?? 0] ?? 'unknown reason';
  // The peer may have chosen these words (RFC 9003).
  const message = (state?.disconnectMessage ?? '').replaceAll(/\p{Cc}+/gu, ' ').slice(0, 200);
  return [reason, message].filter((part) => part !== '').join(': ');
}

function bfdIn({ bfd, state }: WirePeer): Pick<PeerState, 'bfd'> {
  if (bfd?.enabled !== true) return {};
  return { bfd: BFD_STATES[state?.bfd?.sessionState ?? 0] ?? 'down' };
}
