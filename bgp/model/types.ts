// The words of BGP that the rest of the project shares: what we want of a speaker, and what it tells us. Plain data,
// the same for every generation of gobgpd.
import type { Asn } from '../../datastore/resources/scalars.ts';
import type { Cidr } from '../../lib/cidr.ts';
import type { Family, Ip } from '../../lib/ip.ts';

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
  /** For people: `mesh node2` or `BGPPeer tor`. */
  readonly description: string;
  /** Source address of the session. */
  readonly localAddress: Ip;
  /** Whether we dial, or only wait for the peer to dial. */
  readonly connect: 'active' | 'passive';
  /** How far away an eBGP peer may be: on the same link (TTL 1), or anywhere. */
  readonly distance: 'adjacent' | 'routed';
  readonly holdTimeSeconds: number;
  readonly keepaliveSeconds: number;
  readonly connectRetrySeconds: number;
  /** RFC 4724. Absent: the peer drops our routes as soon as the session ends. */
  readonly gracefulRestart?: { readonly restartTimeSeconds: number; readonly deferralTimeSeconds: number };
  readonly families: readonly Family[];
};

/** A path that this node originates. */
export type DesiredPath = {
  readonly nextHop: Ip;
  /** Standard communities (RFC 1997), `high * 65536 + low`, sorted. */
  readonly communities?: readonly number[];
};

/** What the speaker passes on, to all peers: the first statement that fits decides. */
export type DesiredExport = {
  readonly statements: readonly { readonly from: PathSource; readonly action: RouteAction }[];
  readonly otherwise: RouteAction;
};
/** Where a path came from: originated here, an iBGP peer, an eBGP peer. */
export type PathSource = 'local' | 'internal' | 'external';
export type RouteAction = 'accept' | 'reject';

/** All that this node wants of its speaker. */
export type DesiredBgp = {
  readonly global: DesiredGlobal;
  readonly peers: ReadonlyMap<PeerKey, DesiredPeer>;
  readonly paths: ReadonlyMap<Cidr, DesiredPath>;
  readonly exports: DesiredExport;
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
};

/** What the speaker tells on its own; the meaning is only "read again". */
export type BgpEvent =
  /** The speaker answers, for the first time or again after a restart: apply everything. */
  | { readonly kind: 'up' }
  /** The speaker is gone; what it had taught us may still be right. */
  | { readonly kind: 'down'; readonly why: string }
  | { readonly kind: 'rib-changed' }
  | { readonly kind: 'peer-changed' };
