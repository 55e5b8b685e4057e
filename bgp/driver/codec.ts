// What the driver needs of gobgpd's API, free of any generation: each call is a method name with an encoder and a
// decoder. One folder per generation (`v3/`, `v4/`) says what differs; `api/` holds what is equal.
import type { Cidr } from '../../lib/cidr.ts';
import type { Family, Ip } from '../../lib/ip.ts';
import type { DesiredGlobal, DesiredPath, DesiredPeer, PeerState, RibPath } from '../model/types.ts';
import type { CompiledPolicy, DefinedSet, DefinedSetKind, PolicyDirection } from './compile-policy.ts';

/** One remote procedure: full method path, request encoder, response decoder (of one message, when it streams). */
export type Call<In, Out> = {
  readonly method: string;
  readonly encode: (input: In) => Uint8Array;
  /** @throws WireError */
  readonly decode: (bytes: Uint8Array) => Out;
};

/** The speaker's own settings; `asn` 0: not started. */
export type GlobalState = {
  readonly asn: number;
  readonly routerId: string;
  readonly listenPort: number;
  readonly listenAddresses: readonly string[];
};

/** A peer as gobgpd has it: its state, and what we compare with the desired peer. */
export type ListedPeer = {
  /** The text that we keep in its description. */
  readonly note: string;
  /** A secret, in clear. Empty: none. */
  readonly password: string;
  /** Whether gobgpd took our BFD settings; versions before 4.5 pass over them. */
  readonly hasBfd: boolean;
  readonly state: PeerState;
};

export type PathToWrite = { readonly prefix: Cidr; readonly path: DesiredPath };

/** Tables of one peer before the import and after the export policy (RFC 4271 §3.2). */
export type AdjacentDirection = 'adj-in' | 'adj-out';

/** Which paths to list. `prefixes`: only those of exactly these prefixes; absent: all. */
export type PathQuery = {
  readonly family: Family;
  readonly prefixes?: readonly Cidr[];
  /** Of one peer. Absent: the table that all peers fill. */
  readonly adjacent?: { readonly peer: Ip; readonly direction: AdjacentDirection };
};

export type PolicyAssignment = { readonly direction: PolicyDirection; readonly policies: readonly string[] };

/** `prefixes`: those that changed. */
export type WatchedChange =
  | { readonly kind: 'rib-changed'; readonly prefixes: readonly Cidr[] }
  | { readonly kind: 'peer-changed' };

export type Codec = {
  /** For people. */
  readonly generation: '3.x' | '4.x';
  /** Whether a soft reset also withdraws what the export policy has come to reject; 3.x only sends what it accepts. */
  readonly resetWithdraws: boolean;
  readonly getBgp: Call<void, GlobalState>;
  readonly startBgp: Call<DesiredGlobal, void>;
  readonly addPath: Call<PathToWrite, void>;
  readonly deletePath: Call<PathToWrite, void>;
  /** One message of a stream of many. */
  readonly addPaths: Call<readonly PathToWrite[], void>;
  /** Streams one prefix after the other; `ownAsn` tells iBGP from eBGP. */
  readonly listPath: (ownAsn: number) => Call<PathQuery, readonly RibPath[]>;
  readonly addPeer: Call<{ readonly peer: DesiredPeer; readonly note: string }, void>;
  readonly deletePeer: Call<Ip, void>;
  /** Streams one peer after the other; `nowSeconds` turns the start of a session into its age. */
  readonly listPeer: (nowSeconds: number) => Call<void, ListedPeer>;
  /** Sends the paths of a peer again through the policies of a direction, without touching the session. */
  readonly softReset: Call<{ readonly address: Ip; readonly direction: PolicyDirection }, void>;
  readonly addDefinedSet: Call<DefinedSet, void>;
  readonly deleteDefinedSet: Call<Pick<DefinedSet, 'kind' | 'name'>, void>;
  /** Streams names. */
  readonly listDefinedSets: Call<DefinedSetKind, string>;
  readonly addPolicy: Call<CompiledPolicy, void>;
  readonly deletePolicy: Call<string, void>;
  /** Streams names: all, or the one that is asked for when it is there. */
  readonly listPolicies: Call<string | undefined, string>;
  /** What no statement decides is rejected. */
  readonly setAssignment: Call<PolicyAssignment, void>;
  readonly listAssignment: Call<PolicyDirection, PolicyAssignment>;
  /** Streams until the speaker dies; `undefined` for what does not concern us. */
  readonly watch: Call<void, WatchedChange | undefined>;
};
