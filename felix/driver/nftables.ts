// Drives our nf_tables table. The exact state of the table is kept, so that a batch never asks for what may fail. What
// somebody else changed is written back by the difference; after an error one batch replaces the table whole, without a gap.
//
// Where the kernel has the table flags `owner` and `persist` (from Linux 6.9), the table belongs to our socket: nobody
// else can change it, and `nft flush ruleset` passes it by. It outlives the socket without an owner, and whoever asks
// first takes it over as it is.
import { isDeepStrictEqual } from 'node:util';
import { KernelError } from '../../lib/linux/kernel-error.ts';
import type { NftChange, NftKey, NftObject, Ruleset, Table, TableName } from '../../lib/nftables/ast.ts';
import { carryCounters } from '../../lib/nftables/carry-counters.ts';
import { diffObjects } from '../../lib/nftables/diff.ts';
import type { Nftables } from '../../lib/nftables/nfnetlink.ts';
import { planChanges, planReplacement } from '../../lib/nftables/plan.ts';
import { sameObjects } from '../../lib/nftables/same.ts';
import type { Parts, Touched } from '../../lib/nftables/touched.ts';

export type NftDriver = {
  /** Whether the table is, or will be, closed to others. */
  readonly owner: 'own' | 'shared';
  /** The table as the kernel has it, or `undefined`. */
  readonly read: () => Ruleset | undefined;
  /**
   * Takes over the table that an earlier life left, with all that is in it; nothing when there is none to take over.
   * @throws NftError EPERM when somebody else owns it
   */
  readonly takeOver: () => void;
  /** Whether the kernel's table is this, flags included; rules compare by what they do. */
  readonly holds: (objects: ReadonlyMap<NftKey, NftObject>) => boolean;
  /**
   * What leads from the kernel's table to this one, of what was touched or of all; none: nothing differs. In the moment of
   * a commit, a packet in the old chains already sees the new sets, so sets that stay must not be made anew. `replace`:
   * only a replacement does it, since there is no table of ours, or something in it that we do not know. @throws KernelError
   */
  readonly differences: (objects: ReadonlyMap<NftKey, NftObject>, touched: Touched) => readonly NftChange[] | 'replace';
  /** One atomic batch. @throws NftError: the old rules stand */
  readonly apply: (changes: readonly NftChange[]) => void;
  /** Replaces the whole table in one atomic batch. @throws NftError: the old rules stand */
  readonly replace: (objects: ReadonlyMap<NftKey, NftObject>) => void;
};

/** How ours is known again: it is the only table of that name, and all in it is ours. @throws KernelError */
export function createNftDriver(nft: Nftables, { name }: Table, tableOwner: 'auto' | 'off'): NftDriver {
  const owned = tableOwner === 'auto' && knowsOwners(nft);
  const table: Table = { name, flags: owned ? ['owner', 'persist'] : [] };
  const replace: NftDriver['replace'] = (objects) =>
    nft.commit(carryCounters(planReplacement({ table, objects }, nft.table(name)), nft.counters(name)));
  const isOurs = (actual: Ruleset | undefined): actual is Ruleset =>
    actual !== undefined && isDeepStrictEqual(actual.table.flags, table.flags);
  return {
    owner: owned ? 'own' : 'shared',
    read: () => nft.dump(name),
    takeOver: () => {
      const present = nft.table(name);
      if (owned && present?.flags.includes('persist')) nft.commit([{ kind: 'add-table', table }]);
    },
    holds: (objects) => {
      const actual = nft.dump(name);
      return isOurs(actual) && sameObjects(actual.objects, objects);
    },
    differences: (objects, touched) => {
      const actual = touched.kind === 'all' ? nft.dump(name) : nft.dumpParts(name, touched);
      const known = isOurs(actual) && ![...actual.objects.values()].some(({ kind }) => kind === 'unknown');
      if (!known) return 'replace';
      return diffObjects(actual.objects, touched.kind === 'all' ? objects : partsOf(objects, touched));
    },
    apply: (changes) => nft.commit(planChanges(table, changes)),
    replace,
  };
}

function partsOf(objects: ReadonlyMap<NftKey, NftObject>, { chains, sets }: Parts): ReadonlyMap<NftKey, NftObject> {
  const found = new Map<NftKey, NftObject>();
  for (const [key, object] of objects) {
    const { kind } = object;
    const isPart =
      (kind === 'chain' && chains.has(object.name)) ||
      (kind === 'set' && sets.has(object.name)) ||
      (kind === 'element' && sets.has(object.set));
    if (isPart) found.set(key, object);
  }
  return found;
}

// Made and deleted in one batch, so that nothing is left and nobody sees it.
function knowsOwners(nft: Nftables): boolean {
  const scratch: Table = { name: `margay-probe-${nft.portId}` as TableName, flags: ['owner', 'persist'] };
  try {
    nft.commit([
      { kind: 'add-table', table: scratch },
      { kind: 'delete-table', table: scratch },
    ]);
    return true;
  } catch (error) {
    if (error instanceof KernelError) return false;
    throw error;
  }
}
