// The node's addresses in memory, in step with the journal: own blocks with their free lists, and assignments. Every
// change is written first and takes effect after that, so memory never promises what the journal does not know.
import { type Cidr, cidrContains, cidrRange } from '../lib/cidr.ts';
import type { Ip } from '../lib/ip.ts';
import type { Log } from '../lib/log.ts';
import type { Assignment } from './assignment.ts';
import type { Cooling } from './cooling.ts';
import type { Handle } from './handle.ts';
import type { AttachedDetails } from './ipam.ts';
import type { Journal } from './journal.ts';
import { JournalError } from './journal-error.ts';
import type { KnownBlock } from './model/adopt-blocks.ts';
import { createFreeList, type FreeList } from './model/free-list.ts';

export type AddressBook = {
  readonly find: (handle: Handle) => Assignment | undefined;
  /** In the order in which they were made. */
  readonly assignments: () => readonly Assignment[];
  /** Sorted by address, IPv4 first. */
  readonly blocks: () => readonly KnownBlock[];
  /** How many addresses the block has, and how many of them someone has; `undefined` when it is not ours. */
  readonly use: (cidr: Cidr) => { readonly size: number; readonly used: number; readonly cooling: number } | undefined;
  /** The own block around an address. */
  readonly blockOf: (ip: Ip) => KnownBlock | undefined;
  /** Who has the address, also when its block is not ours any more. */
  readonly holderOf: (ip: Ip) => Handle | undefined;
  /** Next free address of the block that has cooled down and is not reserved. */
  readonly next: (cidr: Cidr, isReserved: (ip: Ip) => boolean) => Ip | undefined;
  readonly isFree: (ip: Ip) => boolean;
  /** Another pod than this one, `namespace/name`, had the address until lately. */
  readonly isCooling: (ip: Ip, pod: string | undefined) => boolean;
  /** All that cool down, for whomever. */
  readonly resting: () => readonly Ip[];
  /** The addresses must be free. @throws JournalError */
  readonly assign: (draft: Omit<Assignment, 'sequence'>) => Assignment;
  /** `undefined` when there is no such assignment. @throws JournalError */
  readonly attach: (handle: Handle, details: AttachedDetails) => Assignment | undefined;
  /** `undefined` when there is no such assignment, or `sequence` is given and is not its own. */
  readonly release: (handle: Handle, sequence?: number) => Assignment | undefined;
  /** @throws JournalError */
  readonly addBlock: (block: KnownBlock) => void;
  /** Its assignments stay. @throws JournalError */
  readonly dropBlock: (cidr: Cidr) => void;
  /**
   * Why nothing can be assigned, because the journal could not be written the last time and still cannot: while that is so
   * each question is an attempt. `undefined`: it can, as far as is known.
   */
  readonly trouble: () => string | undefined;
  /** Addresses that are not handed out although they are free; replaces what was given before. */
  readonly avoid: (ips: ReadonlySet<Ip>) => void;
  /** Those of them that nobody has. */
  readonly keptOut: () => readonly Ip[];
};

export function createAddressBook(journal: Journal, cooling: Cooling, log: Log): AddressBook {
  const { snapshot } = journal;
  const assignments = new Map<Handle, Assignment>(snapshot.assignments.map((each) => [each.handle, each]));
  const holders = new Map<Ip, Handle>(snapshot.assignments.flatMap(({ handle, ips }) => ips.map((ip) => [ip, handle])));
  // All addresses that were ever released here, oldest first: a block that comes back gets its history back.
  const released = new Set<Ip>(snapshot.released);
  // Released in memory, but the journal could not be written: tried again with the next change.
  const unwritten = new Map<Handle, Assignment>();
  const owned = new Map<Cidr, OwnedBlock>();
  let sorted: readonly KnownBlock[] = [];
  let sequence = snapshot.sequence;
  let avoided: ReadonlySet<Ip> = new Set();
  cooling.begin(snapshot.released);

  const sort = (): void => {
    sorted = [...owned.values()].map(({ block }) => block).sort(compareBlocks);
  };
  const open = (block: KnownBlock): void => {
    const within = (ip: Ip): boolean => cidrContains(block.cidr, ip);
    const history = { used: [...holders.keys()].filter(within), released: [...released].filter(within) };
    owned.set(block.cidr, { block, list: createFreeList(block.cidr, history) });
    sort();
  };
  const ownedAround = (ip: Ip): OwnedBlock | undefined =>
    owned.values().find(({ block }) => cidrContains(block.cidr, ip));
  const free = (assignment: Assignment): void => {
    cooling.begin(assignment.ips, `${assignment.namespace}/${assignment.pod}`);
    for (const ip of assignment.ips) {
      holders.delete(ip);
      released.add(ip);
      ownedAround(ip)?.list.giveBack(ip);
    }
  };
  const flush = (): void => {
    for (const assignment of unwritten.values()) {
      journal.release(assignment);
      unwritten.delete(assignment.handle);
      free(assignment);
    }
  };
  snapshot.blocks.forEach(open);

  return {
    find: (handle) => assignments.get(handle),
    assignments: () => [...assignments.values()],
    blocks: () => sorted,
    use: (cidr) => {
      const counts = owned.get(cidr)?.list.counts();
      return counts && { ...counts, cooling: cooling.count((ip) => cidrContains(cidr, ip)) };
    },
    blockOf: (ip) => ownedAround(ip)?.block,
    holderOf: (ip) => holders.get(ip),
    next: (cidr, isReserved) =>
      owned.get(cidr)?.list.next((ip) => !avoided.has(ip) && !cooling.has(ip) && !isReserved(ip)),
    isFree: (ip) => !avoided.has(ip) && (ownedAround(ip)?.list.isFree(ip) ?? false),
    isCooling: cooling.has,
    resting: cooling.list,
    assign: (draft) => {
      flush();
      const assignment: Assignment = { ...draft, sequence: sequence + 1 };
      journal.assign(assignment);
      sequence++;
      assignments.set(assignment.handle, assignment);
      for (const ip of assignment.ips) {
        holders.set(ip, assignment.handle);
        released.delete(ip);
        cooling.end(ip);
        ownedAround(ip)?.list.take(ip);
      }
      return assignment;
    },
    attach: (handle, { mac, mtu }) => {
      const found = assignments.get(handle);
      if (found === undefined) return undefined;
      const attached: Assignment = { ...found, mac, mtu, state: 'attached' };
      journal.amend(attached);
      assignments.set(handle, attached);
      return attached;
    },
    release: (handle, expected) => {
      const found = assignments.get(handle);
      if (found === undefined || (expected !== undefined && expected !== found.sequence)) return undefined;
      assignments.delete(handle);
      unwritten.set(handle, found);
      try {
        flush();
      } catch (error) {
        log.error({ err: error, handle }, 'Released addresses are kept back until the journal can be written');
      }
      return found;
    },
    addBlock: (block) => {
      if (owned.get(block.cidr)?.block.pool === block.pool) return;
      journal.addBlock(block);
      open(block);
    },
    dropBlock: (cidr) => {
      journal.dropBlock(cidr);
      owned.delete(cidr);
      sort();
    },
    trouble: () => {
      if (journal.problem() === undefined) return undefined;
      try {
        flush();
        journal.rehearse();
      } catch (error) {
        if (!(error instanceof JournalError)) throw error;
      }
      return journal.problem();
    },
    avoid: (ips) => {
      avoided = ips;
    },
    keptOut: () => [...avoided].filter((ip) => !holders.has(ip)),
  };
}

type OwnedBlock = { readonly block: KnownBlock; readonly list: FreeList };

function compareBlocks(a: KnownBlock, b: KnownBlock): number {
  const [x, y] = [cidrRange(a.cidr), cidrRange(b.cidr)];
  return x.family - y.family || (x.first < y.first ? -1 : x.first > y.first ? 1 : 0);
}
