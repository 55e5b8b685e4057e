// Drives our nf_tables table. The exact state of the table is kept, so that a batch never asks for what may fail; after
// an error, or when somebody else changed the table, one batch replaces it whole, without a gap.
import { isDeepStrictEqual } from 'node:util';
import type { Log } from '../../lib/log.ts';
import type { NftChange, NftKey, NftObject, Ruleset, Table } from '../../lib/nftables/ast.ts';
import type { Nftables } from '../../lib/nftables/nfnetlink.ts';
import { planChanges, planReplacement } from '../../lib/nftables/plan.ts';

export type NftDriver = {
  /** The table as the kernel has it, or `undefined`. */
  readonly read: () => Ruleset | undefined;
  /** Whether the kernel's table is exactly this. */
  readonly holds: (objects: ReadonlyMap<NftKey, NftObject>) => boolean;
  /** One atomic batch. Falls back to `replace` once. @throws NftError when that fails too: the old rules stand */
  readonly apply: (changes: readonly NftChange[], all: () => ReadonlyMap<NftKey, NftObject>) => void;
  /** Replaces the whole table in one atomic batch. @throws NftError */
  readonly replace: (objects: ReadonlyMap<NftKey, NftObject>) => void;
};

/** How ours is known again: it is the only table of that name, and all in it is ours. */
export function createNftDriver(nft: Nftables, table: Table, log: Log): NftDriver {
  const read = (): Ruleset | undefined => nft.dump(table.name);
  const replace = (objects: ReadonlyMap<NftKey, NftObject>): void => {
    nft.commit(planReplacement({ table, objects }));
  };
  return {
    read,
    holds: (objects) => {
      const actual = read();
      return actual !== undefined && sameObjects(actual.objects, objects);
    },
    apply: (changes, all) => {
      if (changes.length === 0) return;
      try {
        nft.commit(planChanges(table, changes));
      } catch (error) {
        log.warn({ err: error, changes: changes.length }, 'nftables batch refused, replacing the whole table');
        replace(all());
      }
    },
    replace,
  };
}

function sameObjects(a: ReadonlyMap<NftKey, NftObject>, b: ReadonlyMap<NftKey, NftObject>): boolean {
  if (a.size !== b.size) return false;
  for (const [key, object] of a) if (!isDeepStrictEqual(object, b.get(key))) return false;
  return true;
}
