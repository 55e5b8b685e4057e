// What gobgpd does not remember of its peers: since when there is no session, whether there ever was one, and whether
// sessions come as far as the OPEN and fail there.
import type { PeerState, SessionState } from '../bgp/model/types.ts';
import type { Ip } from '../lib/ip.ts';

export type PeerPast = {
  /** Since when there is a session, or none, as far as the agent has seen; milliseconds since 1970. */
  readonly sinceMs: number;
  readonly everEstablished: boolean;
  /** The speaker fell back to `idle` from a later state, and no session has come since. */
  readonly refused: boolean;
};

export type PeerHistory = {
  /** All peers, as they were read; returns whether a session came or went. */
  readonly observe: (peers: readonly PeerState[], nowMs: number) => boolean;
  /** Absent: not seen yet. */
  readonly of: (address: Ip) => PeerPast | undefined;
};

type Known = PeerPast & { readonly state: SessionState };

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

function next(before: Known | undefined, { state, uptimeSeconds, flaps }: PeerState, nowMs: number): Known {
  if (state === 'established') {
    // gobgpd counts whole seconds: the first word about a session is kept, so that it does not waver.
    const since = nowMs - (uptimeSeconds ?? 0) * 1000;
    const same = before?.state === 'established' && since - before.sinceMs < 2000;
    return { state, sinceMs: same ? before.sinceMs : since, everEstablished: true, refused: false };
  }
  const wasUp = before === undefined || before.state === 'established';
  return {
    state,
    sinceMs: wasUp ? nowMs : before.sinceMs,
    everEstablished: flaps > 0 || before?.everEstablished === true,
    refused: !wasUp && (before.refused || (state === 'idle' && before.state !== 'idle')),
  };
}
