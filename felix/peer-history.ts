// What gobgpd does not remember of its peers: since when there is no session, whether there ever was one, and whether
// sessions come as far as the OPEN and fail there.
import type { PeerState, SessionState } from '../bgp/model/types.ts';
import type { Ip } from '../lib/ip.ts';

export type PeerPast = {
  /** Since when there is a session, or none, as far as the agent has seen; milliseconds since 1970. */
  readonly sinceMs: number;
  readonly everEstablished: boolean;
  /** The peer has sent an OPEN, and no session has come of it. */
  readonly refused: boolean;
};

export type PeerHistory = {
  /** All peers, as they were read; returns whether a session came or went. */
  readonly observe: (peers: readonly PeerState[], nowMs: number) => boolean;
  /** Absent: not seen yet. */
  readonly of: (address: Ip) => PeerPast | undefined;
};

type Known = PeerPast & { readonly state: SessionState; readonly opensAtSession: number };

export function createPeerHistory(): PeerHistory {
  let known = new Map<Ip, Known>();
  return {
    observe: (peers, nowMs) => {
      const before = known;
      known = new Map(peers.map((peer) => [peer.address, next(before.get(peer.address), peer, nowMs)]));
      const gone = [...before.keys()].some((address) => !known.has(address));
      return gone || [...known].some(([address, now]) => isUp(now) !== isUp(before.get(address)));
    },
    of: (address) => known.get(address),
  };
}

const isUp = (peer: Known | undefined): boolean => peer?.state === 'established';

function next(before: Known | undefined, peer: PeerState, nowMs: number): Known {
  const { state, uptimeSeconds, flaps, opensReceived = 0 } = peer;
  if (state === 'established') {
    // gobgpd counts whole seconds: the first word about a session is kept, so that it does not waver.
    const since = nowMs - (uptimeSeconds ?? 0) * 1000;
    const same = before?.state === 'established' && since - before.sinceMs < 2000;
    const sinceMs = same ? before.sinceMs : since;
    return { state, sinceMs, everEstablished: true, refused: false, opensAtSession: opensReceived };
  }
  const everEstablished = flaps > 0 || before?.everEstablished === true;
  // Of sessions before the first look nobody knows how many OPENs they took. gobgpd counts anew for a replaced peer.
  const opensAtSession = Math.min(before?.opensAtSession ?? (everEstablished ? opensReceived : 0), opensReceived);
  return {
    state,
    sinceMs: before === undefined || before.state === 'established' ? nowMs : before.sinceMs,
    everEstablished,
    refused: opensReceived > opensAtSession,
    opensAtSession,
  };
}
