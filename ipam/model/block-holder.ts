// Who holds a block, beyond the name of a Node, which two machines may have: the journal that knows what is given out of
// the block, and the network stack that has its pods, which is a network namespace in one boot of one kernel.
import type { Cidr } from '../../lib/cidr.ts';

/** `spec.holder` of an IPBlock. */
export type BlockHolder = NetworkStack & { readonly journal: string; readonly bootId: string };

export type NetworkStack = { readonly netns: string; readonly systemUuid?: string };

/** This agent, as its blocks name it. */
export type OwnHolder = {
  readonly record: BlockHolder;
  /** Only this kernel can reach the datastore, so that nobody of an earlier boot lives. */
  readonly isDatastoreLocal: boolean;
  /** Whether an earlier life can have left the block; otherwise whoever it names wrote itself in since this process began. */
  readonly mayInherit: (cidr: Cidr) => boolean;
};

export const isSameHolder = (stored: BlockHolder | undefined, own: BlockHolder): boolean =>
  stored !== undefined &&
  stored.journal === own.journal &&
  stored.bootId === own.bootId &&
  stored.netns === own.netns &&
  stored.systemUuid === own.systemUuid;

/**
 * Whether the one that a block names is this agent in an earlier life, so that nobody else gives addresses out of it:
 * - of the same network stack: one agent runs there, and the kernel shows the pods that it left;
 * - of an earlier boot of this machine: its pods have ended with it;
 * - with the same journal, which remembers the pods, unless the journal was copied from another machine.
 */
export function isEarlierLife(stored: BlockHolder, cidr: Cidr, own: OwnHolder): boolean {
  const { record, isDatastoreLocal, mayInherit } = own;
  const hasJournal = stored.journal === record.journal;
  const isThisBoot = stored.bootId === record.bootId;
  const isThisStack = isThisBoot && stored.netns === record.netns;
  // The journal is itself, or a copy of it that runs beside it.
  const isItself = hasJournal && (isThisStack || !isThisBoot);
  if (!isItself && !mayInherit(cidr)) return false;
  if (isThisStack) return true;
  const knowsMachines = stored.systemUuid !== undefined && record.systemUuid !== undefined;
  const isThisMachine = knowsMachines && stored.systemUuid === record.systemUuid;
  if (!isThisBoot && (isDatastoreLocal || isThisMachine)) return true;
  return hasJournal && (isThisMachine || !knowsMachines);
}
