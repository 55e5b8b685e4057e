// Which empty blocks go back to their pool: those that have been empty for long enough. Of the blocks that serve new pods
// on this node one per family stays, so that the next pod does not wait for the datastore.
import { type Cidr, cidrFamily } from '../../lib/cidr.ts';
import { createGrace } from '../../lib/grace.ts';

export type LookedBlock = {
  readonly cidr: Cidr;
  /** Addresses that someone has, or that are kept out or rest: another node knows nothing of that. */
  readonly used: number;
  /** Its pool serves new pods here. */
  readonly serves: boolean;
};

export type EmptyBlocks = {
  /** `nowMs` is monotonic. A block counts as empty from the first look that finds it so. */
  readonly due: (blocks: readonly LookedBlock[], nowMs: number) => readonly Cidr[];
};

export function createEmptyBlocks(minimumMs: number): EmptyBlocks {
  const grace = createGrace<Cidr>();
  return {
    due: (blocks, nowMs) => {
      const empty = blocks.filter(({ used }) => used === 0);
      const due = grace.due(
        empty.map(({ cidr }) => cidr),
        { nowMs, graceMs: minimumMs },
      );
      const left = new Map(
        ([4, 6] as const).map((family) => [
          family,
          blocks.filter((b) => b.serves && cidrFamily(b.cidr) === family).length,
        ]),
      );
      return empty
        .filter(({ cidr, serves }) => {
          if (!due.has(cidr)) return false;
          const family = cidrFamily(cidr);
          const others = left.get(family) ?? 0;
          if (serves && others <= 1) return false;
          if (serves) left.set(family, others - 1);
          return true;
        })
        .map(({ cidr }) => cidr);
    },
  };
}
