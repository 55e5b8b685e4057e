// What CNI STATUS says of this node. The runtime takes an error as "no pod may start here" and Kubernetes moves pods away
// from a node that stays so; so only what concerns every pod counts, and not one route or an exhausted pool.

export type CniStatus = { readonly code: 50 | 51; readonly why: string };

/** `undefined`: pods can be attached. Cheap, and without effect. CNI SPEC 1.1 STATUS. */
export function cniStatus({
  rulesInForce,
  failures,
  journalProblem,
  ownedBlocks,
  claimsOnDemand,
  ipamProblem,
}: {
  readonly rulesInForce: boolean;
  /** What is not in the kernel now, as sentences. */
  readonly failures: readonly string[];
  /** Why the journal of addresses cannot be written. */
  readonly journalProblem: string | undefined;
  /** Address blocks of this node. */
  readonly ownedBlocks: number;
  /** A block is claimed when a pod comes that a pool serves: no pool serves every pod. */
  readonly claimsOnDemand: boolean;
  /** Why a block could not be claimed. */
  readonly ipamProblem: string | undefined;
}): CniStatus | undefined {
  // The pods that are here keep the rules before the last change, so they suffer too.
  if (!rulesInForce) return { code: 51, why: failures[0] ?? 'the rules are not in force' };
  if (journalProblem !== undefined) return { code: 50, why: journalProblem };
  if (ownedBlocks === 0 && !claimsOnDemand) return { code: 50, why: ipamProblem ?? 'this node has no address block' };
  return undefined;
}
