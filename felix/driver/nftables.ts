// Drives our nf_tables table. The exact state of the table is kept, so that a batch never asks for what may fail; after
// an error, or when somebody else changed the table, one batch replaces it whole, without a gap.
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
   * Makes the table be this in one atomic batch that touches only what differs: in the moment of a commit, a packet in
   * the old chains already sees the new sets, so sets that stay must not be made anew. Replaces the table where there is
   * none of ours, or something in it that we do not know. @throws NftError: the old rules stand
   */
  readonly bring: (objects: ReadonlyMap<NftKey, NftObject>) => void;
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
    bring: (objects) => {
      const actual = nft.dump(name);
      const known = isOurs(actual) && ![...actual.objects.values()].some(({ kind }) => kind === 'unknown');
      if (!known) return replace(objects);
      try {
        nft.commit(planChanges(table, diffObjects(actual.objects, objects)));
      } catch {
        replace(objects);
      }
    },
    apply: (changes) => nft.commit(planChanges(table, changes)),
    replace,
  };
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
