// What the driver needs of gobgpd's API, free of any generation: each call is a method name with an encoder and a
// decoder. One folder per generation (`v3/`) implements it.

import type { Cidr } from '../../lib/cidr.ts';
import type { Family, Ip } from '../../lib/ip.ts';
import type { DesiredExport, DesiredGlobal, DesiredPath, DesiredPeer, PeerState, RibPath } from '../model/types.ts';

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

/** A peer as gobgpd has it: its state, and the text that we keep in its description. */
export type ListedPeer = { readonly note: string; readonly state: PeerState };

export type PathToWrite = { readonly prefix: Cidr; readonly path: DesiredPath };

/** Names of the policies in force for what leaves the speaker, and what happens to the rest. */
export type ExportAssignment = {
  readonly policies: readonly string[];
  readonly otherwise: 'accept' | 'reject' | 'none';
};

export type NamedExport = { readonly name: string; readonly exports: DesiredExport };

export type Codec = {
  readonly getBgp: Call<void, GlobalState>;
  readonly startBgp: Call<DesiredGlobal, void>;
  readonly addPath: Call<PathToWrite, void>;
  readonly deletePath: Call<PathToWrite, void>;
  /** Streams one prefix after the other; `ownAsn` tells iBGP from eBGP. */
  readonly listPath: (ownAsn: number) => Call<Family, readonly RibPath[]>;
  readonly addPeer: Call<{ readonly peer: DesiredPeer; readonly note: string }, void>;
  readonly deletePeer: Call<Ip, void>;
  /** Streams one peer after the other; `nowSeconds` turns the start of a session into its age. */
  readonly listPeer: (nowSeconds: number) => Call<void, ListedPeer>;
  /** Sends all paths of all peers again through the policies, without touching a session. */
  readonly softResetOut: Call<Ip, void>;
  readonly addExportPolicy: Call<NamedExport, void>;
  readonly deletePolicy: Call<string, void>;
  readonly setExportAssignment: Call<NamedExport, void>;
  readonly listExportAssignment: Call<void, ExportAssignment>;
  /** Streams until the speaker dies. */
  readonly watch: Call<void, 'rib-changed' | 'peer-changed' | undefined>;
};
