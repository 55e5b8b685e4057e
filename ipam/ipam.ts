// What the rest of the agent sees of address management.
import type { Cidr } from '../lib/cidr.ts';
import type { Family, Ip } from '../lib/ip.ts';
import type { IfName } from '../lib/linux/if-name.ts';
import type { Assignment } from './assignment.ts';
import type { Handle } from './handle.ts';
import type { JournalOpening } from './journal.ts';
import type { BlockConflict, StrandedBlock } from './model/adopt-blocks.ts';
import type { BlockHolder } from './model/block-holder.ts';
import type { BlockDoubt } from './refusals.ts';

export type AssignRequest = {
  readonly handle: Handle;
  readonly namespace: string;
  readonly pod: string;
  readonly uid?: string;
  readonly netns: string;
  readonly hostIfName: IfName;
  /** One address of each. */
  readonly families: readonly Family[];
  /**
   * Names or CIDRs of the pools that the pod asks for, by family, in order of preference. A family without an entry takes
   * the pools whose selectors match.
   */
  readonly pools?: Readonly<Partial<Record<Family, readonly string[]>>>;
  /** Addresses that the pod insists on, at most one per family; they stand for their families. */
  readonly requested?: readonly Ip[];
};

/** An attachment as the kernel and the datastore show it; `assigned` when nobody knows the pod, so that it is only held. */
export type AdoptRequest = Pick<
  Assignment,
  'handle' | 'namespace' | 'pod' | 'uid' | 'ips' | 'netns' | 'hostIfName' | 'state'
>;

/** What is known of an interface once it is there. `mtu` in bytes. */
export type AttachedDetails = { readonly mac: string; readonly mtu: number };

export type AssignOutcome =
  | { readonly kind: 'assigned'; readonly assignment: Assignment }
  /** No free address in this node's blocks, and no block left in these pools. */
  | { readonly kind: 'exhausted'; readonly pools: readonly string[]; readonly why: string }
  /** No pool serves this pod on this node. */
  | { readonly kind: 'no-pool'; readonly why: string }
  /** It may work later: the datastore or the journal cannot be used now. */
  | { readonly kind: 'unavailable'; readonly why: string }
  /** A requested address is in use: `by` is a handle, or `node NAME` when its block has another owner. */
  | { readonly kind: 'taken'; readonly ip: Ip; readonly by: string; readonly why: string };

export type OwnedBlock = { readonly cidr: Cidr; readonly pool: string; readonly name: string };

export type StartOutcome =
  | {
      readonly kind: 'adopted';
      readonly conflicts: readonly BlockConflict[];
      /** Blocks of this name that perhaps another machine has, and which are left alone. */
      readonly stranded: readonly Cidr[];
    }
  /** The journal's own blocks are used meanwhile; call again. */
  | { readonly kind: 'unavailable'; readonly why: string };

export type FirstBlockOutcome =
  /** Every family that has a pool for any pod has a block. */
  | { readonly kind: 'ready' }
  /** All pools of this node are for some namespaces or for who names them: a block is claimed when such a pod comes. */
  | { readonly kind: 'on-demand' }
  | Exclude<AssignOutcome, { kind: 'assigned' }>;

export type Ipam = {
  /** What was found when the journal was opened. */
  readonly opening: JournalOpening;
  /** What tells this agent from another one of the same name; its blocks name it. */
  readonly holder: BlockHolder;
  /**
   * Compares blocks with the datastore: takes up this node's, creates again those that vanished under live pods, drops
   * those that are not its own. May be called again whenever IPBlock objects changed in an unexpected way.
   * `with-own-node`: only if the datastore has this Node. Absent, at start: whatever it has; a block of the journal that
   * it cannot write then is doubted until a comparison with it can.
   */
  readonly start: (trust?: 'with-own-node') => Promise<StartOutcome>;
  /**
   * Assigns nothing from this block until `start()` has compared it: somebody else may have it now. What is assigned
   * stays.
   */
  readonly doubt: (block: Cidr, why?: BlockDoubt) => void;
  /**
   * Claims a block of each family that has a pool for any pod and no block yet, so that the node is reachable before its
   * first pod.
   */
  readonly claimFirstBlock: () => Promise<FirstBlockOutcome>;
  /**
   * Gives blocks back that have been empty for the minimum age; of the blocks that serve any pod here, or some pods where
   * no pool is for all, one of each family stays. Returns what went. What the datastore does not confirm is not used any
   * more until a claim finds it as ours.
   */
  readonly releaseEmptyBlocks: () => Promise<readonly Cidr[]>;
  /** Families of which a pool serves pods of this namespace here now. */
  readonly families: (namespace: string) => readonly Family[];
  /** The same handle gets the same assignment again. The datastore is asked only when a new block is needed. */
  readonly assign: (request: AssignRequest) => Promise<AssignOutcome>;
  /**
   * Writes down an attachment that the kernel has and a lost journal forgot; `undefined` when somebody holds one of its
   * addresses, or its handle. @throws JournalError
   */
  readonly adopt: (found: AdoptRequest) => Assignment | undefined;
  /** `undefined`: there is no such assignment. @throws JournalError */
  readonly markAttached: (handle: Handle, details: AttachedDetails) => Assignment | undefined;
  /**
   * Frees the addresses of this assignment alone and returns it; `undefined` when there is none (released before), or
   * when it is not the one with this `sequence`. Works with a full disk: then the addresses stay kept back for a while.
   */
  readonly release: (handle: Handle, sequence?: number) => Assignment | undefined;
  readonly find: (handle: Handle) => Assignment | undefined;
  /** Oldest first. */
  readonly assignments: () => readonly Assignment[];
  /** This node's blocks, all of them confirmed by the datastore once; sorted by address, IPv4 first. */
  readonly blocks: () => readonly OwnedBlock[];
  /** Blocks of this name that the last `start()` left alone, and why. */
  readonly stranded: () => readonly StrandedBlock[];
  /** Hears of every change of `blocks()`. Returns how to stop. */
  readonly onBlocksChanged: (listener: (blocks: readonly OwnedBlock[]) => void) => () => void;
  /**
   * Addresses seen in the kernel on interfaces of ours; those without an assignment are not handed out. Replaces what
   * was given before. Needed after a journal was lost (`opening.recovered`).
   */
  readonly keepOut: (ips: readonly Ip[]) => void;
  /** Free addresses that are kept out. */
  readonly keptOut: () => readonly Ip[];
  /** Free addresses that cool down. */
  readonly resting: () => readonly Ip[];
  /** How many addresses of an own block someone has; `undefined` when it is not ours. */
  readonly blockUse: (cidr: Cidr) => BlockUse | undefined;
  /**
   * Why nothing can be assigned: the journal could not be written the last time, and cannot now. `undefined`: it can, as
   * far as is known. Cheap.
   */
  readonly journalProblem: () => string | undefined;
  readonly close: () => void;
};

/** `cooling`: free, but resting. */
export type BlockUse = { readonly size: number; readonly used: number; readonly cooling: number };
