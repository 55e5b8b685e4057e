// The words of BGP that the rest of the project shares: what we want of a speaker, and what it tells us. Plain data,
// the same for every generation of gobgpd.
import type { Asn } from '../../datastore/resources/scalars.ts';
import type { Cidr } from '../../lib/cidr.ts';
import type { Family, Ip } from '../../lib/ip.ts';
import type { DesiredPolicies } from './route-policy.ts';

/** Identity of a peer: its address. A speaker holds at most one session to an address. */
export type PeerKey = Ip;

/** What a running speaker cannot change without being restarted. */
export type DesiredGlobal = {
  readonly asn: Asn;
  /** IPv4 form (RFC 6286). */
  readonly routerId: Ip;
  /** 1 to 65535. */
  readonly listenPort: number;
  /** Where sessions are accepted, never empty. */
  readonly listenAddresses: readonly Ip[];
};

export type DesiredPeer = {
  readonly address: Ip;
  /** 1 to 65535. */
  readonly port: number;
  readonly asn: Asn;
  /** The AS number that we claim towards this peer. Absent: that of the speaker. */
  readonly localAsn?: Asn;
  /** For people: `mesh node2` or `BGPPeer tor`. */
  readonly description: string;
  /** Source address of the session. Absent: the kernel chooses. */
  readonly localAddress?: Ip;
  /** TCP MD5 (RFC 2385). A secret: it stands in no log, status, note or error. */
  readonly password?: string;
  /** Whether we dial, or only wait for the peer to dial. */
  readonly connect: 'active' | 'passive';
  /** How far away an eBGP peer may be. */
  readonly distance: PeerDistance;
  readonly holdTimeSeconds: number;
  readonly keepaliveSeconds: number;
  readonly connectRetrySeconds: number;
  /** RFC 4724. Absent: the peer drops our routes as soon as the session ends. */
  readonly gracefulRestart?: { readonly restartTimeSeconds: number; readonly deferralTimeSeconds: number };
  readonly families: readonly Family[];
  /** RFC 4456: the peer is our client, and this is our cluster id. Absent: an ordinary peer. */
  readonly routeReflector?: { readonly clusterId: Ip };
  /** How often our own AS may stand in a path that it sends, 0 to 10. Absent: 0. */
  readonly allowedOwnAsns?: number;
  /** Prefixes of one family that it may send; more end the session. Absent: any number. */
  readonly maxPrefixes?: number;
  /** RFC 5880, single hop (RFC 5881); needs gobgpd 4.5. Absent: none. Never beside `gracefulRestart`. */
  readonly bfd?: BfdTimers;
};

/** `adjacent`: on the same link, TTL 1. `multihop`: at most `ttl` hops away. `secured`: RFC 5082, at most `hops` away. */
export type PeerDistance =
  | { readonly kind: 'adjacent' }
  | { readonly kind: 'multihop'; readonly ttl: number }
  | { readonly kind: 'secured'; readonly hops: number };

/** Milliseconds; `multiplier`: how many packets may be missed. */
export type BfdTimers = {
  readonly receiveMs: number;
  readonly transmitMs: number;
  readonly multiplier: number;
};

/** A path that this node originates. */
export type DesiredPath = {
  readonly nextHop: Ip;
  /** Standard communities (RFC 1997), `high * 65536 + low`, sorted. */
  readonly communities?: readonly number[];
  /** RFC 8092, sorted. */
  readonly largeCommunities?: readonly LargeCommunity[];
  /** Absent: not sent, which iBGP takes as 100. */
  readonly localPref?: number;
  /** Absent: not sent. */
  readonly med?: number;
};

/** Global administrator and two local parts, each 32 bits (RFC 8092 §3). */
export type LargeCommunity = readonly [number, number, number];

/** Where a path came from: originated here, an iBGP peer, an eBGP peer. */
export type PathSource = 'local' | 'internal' | 'external';
export type RouteAction = 'accept' | 'reject';

/** All that this node wants of its speaker. */
export type DesiredBgp = {
  readonly global: DesiredGlobal;
  readonly peers: ReadonlyMap<PeerKey, DesiredPeer>;
  readonly paths: ReadonlyMap<Cidr, DesiredPath>;
  readonly policies: DesiredPolicies;
};

/** A path of the speaker's table. */
export type RibPath = {
  readonly prefix: Cidr;
  readonly nextHop: Ip;
  /** The neighbour that sent it. Absent: originated here. */
  readonly from?: Ip;
  readonly local: boolean;
  /** Held for a peer that restarts (RFC 4724). */
  readonly stale: boolean;
  /** All AS numbers in order, sets flattened. */
  readonly asPath: readonly number[];
  /** Hops as path selection counts them: a set is one (RFC 4271 §9.1.2.2 a). */
  readonly asPathLength: number;
  /** Absent on the wire of eBGP: 100. */
  readonly localPref: number;
  /** Absent: 0. */
  readonly med: number;
  /** RFC 4271 §5.1.1: 0 IGP, 1 EGP, 2 incomplete. */
  readonly origin: number;
  readonly communities: readonly number[];
  /** Absent: none. */
  readonly largeCommunities?: readonly LargeCommunity[];
  /** Learned from a peer of another AS. */
  readonly ebgp: boolean;
};

/** States of the session machine, RFC 4271 §8.2.2. */
export type SessionState = 'idle' | 'connect' | 'active' | 'opensent' | 'openconfirm' | 'established';

export type PeerState = {
  readonly address: Ip;
  readonly asn: number;
  readonly state: SessionState;
  /** Since the session was established. Absent: it is not. */
  readonly uptimeSeconds?: number;
  /** How often the session was lost. */
  readonly flaps: number;
  /** Prefixes, all families together. */
  readonly received: number;
  readonly accepted: number;
  readonly advertised: number;
  /** The peer has sent all it had (RFC 4724 §2); false also when the peer never says so. */
  readonly endOfRib: boolean;
  /** That of the DesiredPeer. */
  readonly description: string;
  /** The same counts by family. Absent: not told. */
  readonly families?: ReadonlyMap<Family, PeerFamilyState>;
  /** OPEN messages that came from the peer, of all sessions and attempts (RFC 4271 §4.2). Absent: none. */
  readonly opensReceived?: number;
  /** Why the last session ended, for people. Absent: none did, or gobgpd does not tell (before 4.0). */
  readonly lastError?: string;
  /** The session is held down by the prefix limit. */
  readonly overLimit?: boolean;
  /** RFC 5880 §4.1. Absent: no BFD. */
  readonly bfd?: 'admin-down' | 'down' | 'init' | 'up';
};

export type PeerFamilyState = {
  readonly received: number;
  readonly accepted: number;
  readonly advertised: number;
  readonly endOfRib: boolean;
};

/** What the speaker tells on its own; the meaning is only "read again". */
export type BgpEvent =
  /** The speaker answers, for the first time or again after a restart: apply everything. */
  | { readonly kind: 'up' }
  /** The speaker is gone; what it had taught us may still be right. */
  | { readonly kind: 'down'; readonly why: string }
  /** `prefixes`: those to read again. Absent: any. */
  | { readonly kind: 'rib-changed'; readonly prefixes?: ReadonlySet<Cidr> }
  | { readonly kind: 'peer-changed' };
