// What is the matter with a session, and what to do: the usual causes behind what a speaker shows of a peer. A hint is
// a guess where the speaker does not say why, and then it says what to look at.
import type { DesiredPeer, PeerState } from './types.ts';

export type PeerFacts = {
  readonly desired: DesiredPeer;
  /** The AS number that we claim towards the peer. */
  readonly ownAsn: number;
  /** Absent: the speaker has no such peer yet. */
  readonly state: PeerState | undefined;
  /** There has been a session since the agent watches, or the speaker counts one. */
  readonly everEstablished: boolean;
  /** It has sent an OPEN, and no session came of it. */
  readonly refused: boolean;
  /** Why packets do not reach the peer. Absent: a route leads there. */
  readonly unreachable?: string | undefined;
  /** The kernel may have no room for the peer's password. */
  readonly keyMemoryShort: boolean;
  /** The peer's paths that import rules refuse. */
  readonly refusals: readonly PathRefusal[];
  /** Paths that it sent with our own AS number in them, which the speaker takes for loops. */
  readonly ownAsnLoops: number;
  /** Whether this node has anything to say. */
  readonly originates: boolean;
  /** Nobody waits for End-of-RIB any more. */
  readonly settled: boolean;
};

export type PathRefusal = { readonly why: string; readonly hint?: string; readonly kind: 'rule' | 'next-hop' };

/** In the order of weight; empty: nothing is the matter. */
export function peerHints(facts: PeerFacts): readonly string[] {
  const { desired, state } = facts;
  if (state === undefined) return ['gobgpd does not have this peer yet; status says why when it stays so'];
  if (state.overLimit === true) {
    return [
      `it sent more than ${desired.maxPrefixes ?? 'its limit of'} prefixes of one family, and the session is held down; make it send less, or raise maxPrefixes of its BGPPeer`,
    ];
  }
  const hints = state.state === 'established' ? establishedHints(facts, state) : downHints(facts, state);
  if (desired.bfd !== undefined && state.bfd === undefined) {
    return [...hints, 'no BFD, although it is asked for: this needs gobgpd 4.5 or later'];
  }
  return hints;
}

function downHints(facts: PeerFacts, { lastError = '' }: PeerState): readonly string[] {
  const { desired, ownAsn, everEstablished, refused, unreachable, keyMemoryShort } = facts;
  const { address, port, password, connect, asn } = desired;
  if (unreachable !== undefined) return [`${unreachable}; expected a connected subnet or a route to the peer`];
  const asns = `expected AS ${asn} there and AS ${ownAsn} for this node in its configuration`;
  if (/wrong AS|bad peer AS/i.test(lastError)) return [`the AS numbers do not fit: ${asns}`];
  if (/hold timer/i.test(lastError)) {
    return [
      `nothing was heard for the hold time: the peer or the way to it is down, or something drops packets in one direction`,
    ];
  }
  if (password !== undefined && !everEstablished) {
    return [
      ...(keyMemoryShort
        ? ['the kernel may have no room for its password: raise the sysctl net.core.optmem_max of this node']
        : []),
      'a password is set and there has been no session: one that differs, or is set on one side alone, looks like a peer that does not answer',
    ];
  }
  if (refused)
    return [`it answers and the session is refused at the OPEN: ${asns}; also families and router ids must fit`];
  const alike = password === undefined ? '' : '; a password that was changed on one side alone looks the same';
  const open = `expected BGP there with this node as a neighbour, and TCP port ${port} open in both directions${alike}`;
  if (connect === 'passive') return [`waits for ${address} to connect to this node: ${open}`];
  return [`${address} does not answer on TCP port ${port}: ${open}`];
}

function establishedHints(facts: PeerFacts, state: PeerState): readonly string[] {
  const { desired, ownAsn, refusals, ownAsnLoops, originates, settled } = facts;
  const hints: string[] = [];
  const external = desired.asn !== ownAsn;
  if (state.received === 0 && external) {
    hints.push(
      'it sends nothing: a router that follows RFC 8212 exchanges no routes, in either direction, until it has an import and an export policy for this node',
    );
  }
  if (ownAsnLoops > 0) {
    hints.push(
      `${ownAsnLoops} of its paths have AS ${ownAsn} in them and are taken for loops: with nodes of one AS in several racks set numAllowedLocalASNumbers of its BGPPeer to 1, or as-override at the router`,
    );
  }
  const unresolved = refusals.filter(({ kind }) => kind === 'next-hop');
  if (unresolved.length > 0) hints.push(`${count(unresolved)}: ${commonest(unresolved).why}`);
  const ruled = refusals.filter(({ kind }) => kind === 'rule');
  if (ruled.length > 0 && state.received > 0 && refusals.length + ownAsnLoops >= state.received) {
    const { why, hint } = commonest(ruled);
    hints.push(`all that it sends is refused, for instance because ${why}${hint === undefined ? '' : `; ${hint}`}`);
  }
  if (state.advertised === 0 && originates) {
    hints.push(
      'it is told nothing: BGPFilters reject all paths of this node; "margay bgp explain BLOCK" names the rule',
    );
  }
  if (!settled && !state.endOfRib && desired.gracefulRestart !== undefined) {
    hints.push(
      'no End-of-RIB yet: routes of before a restart stay until it comes, at most 120 s; a router without graceful restart sends none',
    );
  }
  return hints;
}

const count = ({ length }: readonly unknown[]): string =>
  (length === 1 ? 'one path' : `${length} paths`).concat(' unused');

/** Of some. */
function commonest(refusals: readonly PathRefusal[]): PathRefusal {
  const groups = [...Map.groupBy(refusals, ({ why }) => why).values()].sort((a, b) => b.length - a.length);
  return groups[0]?.[0] ?? { why: 'nobody knows why', kind: 'rule' };
}
