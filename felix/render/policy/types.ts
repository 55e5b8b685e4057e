// The contract of the policy renderer: changes of the model's outputs in, changes of nf_tables objects out.
import type { Cidr } from '../../../lib/cidr.ts';
import type { Ip } from '../../../lib/ip.ts';
import type { IfName } from '../../../lib/linux/if-name.ts';
import type { NftChange, NftKey, NftObject } from '../../../lib/nftables/ast.ts';
import type { PolicyChanges } from '../../../policy/model/types.ts';
import type { Generation } from './generation.ts';

/** Whether something is closed now that was not, so that the next changes to be applied can revoke. */
export type Closes = boolean;

/**
 * Holds the wanted objects of the table `inet margay`. The base chains, the dispatch maps and the sets of endpoints are
 * there from the start, before the first `apply`: an empty node drops what comes from or goes to an unknown pod
 * interface.
 */
export type PolicyRenderer = {
  /**
   * Takes over what `drain` returned, and tells which objects differ from before. Changes that can revoke also bring a
   * new generation.
   */
  readonly apply: (changes: PolicyChanges) => readonly NftChange[];
  /** The TCP port on which a BGPConfiguration has speakers listen, to be closed to pods besides 179. Absent: none. */
  readonly closeBgpPort: (configuration: string, port: number | undefined) => Closes;
  /** The addresses of a node, where ports are closed to the pods of other nodes too. None: the node is gone. */
  readonly setNode: (name: string, addresses: readonly Ip[]) => Closes;
  /** Ranges of service addresses: what is still addressed to one when it leaves the node is dropped. At first: none. */
  readonly closeServices: (ranges: readonly Cidr[]) => Closes;
  /** All objects wanted now, for a whole replacement of the table or a comparison. A live view. */
  readonly objects: () => ReadonlyMap<NftKey, NftObject>;
  /** The generation that the objects carry now; to be kept across restarts. */
  readonly generation: () => Generation;
  /**
   * Keys of all that concerns one endpoint: its elements in the dispatch and address sets, its profile chains, their
   * policy chains, and the sets that these use, with their elements. Empty for an endpoint that is not there.
   */
  readonly explainEndpoint: (ifName: IfName) => readonly NftKey[];
  /** Keys of what stands between the hooks and the profiles of endpoints, whatever endpoints there are. */
  readonly explainHooks: () => readonly NftKey[];
};
