// Which part of gobgpd's table has to be read again, and the reading of it.
import type { Cidr } from '../../lib/cidr.ts';
import { groupByPrefix } from '../model/learned.ts';
import type { RibPath } from '../model/types.ts';
import type { Gobgp } from './gobgp.ts';

/** From this number on, one listing of everything is cheaper. */
const MOST_PREFIXES = 200;

/** `part`: some prefixes; one without paths is in the table no more. */
export type RibRead =
  | { readonly kind: 'all'; readonly paths: readonly RibPath[] }
  | { readonly kind: 'part'; readonly prefixes: ReadonlyMap<Cidr, readonly RibPath[]> };

export type DirtyRib = {
  /** `undefined`: everything. */
  readonly add: (prefixes: ReadonlySet<Cidr> | undefined) => void;
  readonly isDirty: () => boolean;
  /**
   * What is dirty, read; `undefined` when nothing is. What becomes dirty meanwhile stays so. @throws BgpError, or the
   * signal's reason; what was to be read is then forgotten
   */
  readonly read: (gobgp: Pick<Gobgp, 'rib' | 'ribOf'>, signal: AbortSignal) => Promise<RibRead | undefined>;
};

export function createDirtyRib(): DirtyRib {
  let dirty: Set<Cidr> | 'all' = new Set();
  return {
    add: (prefixes) => {
      if (dirty === 'all') return;
      dirty = prefixes === undefined || dirty.size + prefixes.size >= MOST_PREFIXES ? 'all' : dirty.union(prefixes);
    },
    isDirty: () => dirty === 'all' || dirty.size > 0,
    read: async (gobgp, signal) => {
      const due = dirty;
      dirty = new Set();
      if (due === 'all') return { kind: 'all', paths: await gobgp.rib(signal) };
      if (due.size === 0) return undefined;
      const found = groupByPrefix(await gobgp.ribOf(due, signal));
      return { kind: 'part', prefixes: new Map([...due].map((prefix) => [prefix, found.get(prefix) ?? []])) };
    },
  };
}
