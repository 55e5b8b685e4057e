// The router at the top of the rack, by a program of the user's choice. Whatever the kind, it is AS 64600, peers with
// every node, installs what lies inside the pod pool into its kernel, and advertises 0.0.0.0/0, as real ones do: no node
// may take that for its own default route.
import type { LabSpec, TorKind } from '../spec.ts';
import { bird } from './bird.ts';
import { frr } from './frr.ts';
import { gobgp } from './gobgp.ts';

export type Tor = {
  /** Programs that must be installed, and the Debian package that brings each. */
  readonly requires: readonly { readonly program: string; readonly package: string }[];
  /** Names of the daemons, by which their pid and log files are called. */
  readonly daemons: readonly string[];
  /** Writes the configuration and starts the daemons in the ToR's namespace. */
  readonly start: (lab: LabSpec) => Promise<void>;
};

export const TORS: Readonly<Record<TorKind, Tor>> = { bird, frr, gobgp };
