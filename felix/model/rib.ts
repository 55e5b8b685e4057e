// The speaker's table as it was last read, with what the import rules make of each prefix. Only what changed is judged
// again, unless the rules themselves change.
import { groupByPrefix, type Imported, type Importer, type LearnedRoutes } from '../../bgp/model/learned.ts';
import type { RibPath } from '../../bgp/model/types.ts';
import type { Cidr } from '../../lib/cidr.ts';

export type Rib = {
  /** The whole table was read. */
  readonly replace: (paths: readonly RibPath[]) => void;
  /** Some prefixes were read; one without paths is gone. */
  readonly patch: (prefixes: ReadonlyMap<Cidr, readonly RibPath[]>) => void;
  /** Judges what is not judged yet by this importer; returns the prefixes that it looked at. */
  readonly judge: (importer: Importer) => Iterable<Cidr>;
  /** What the last `judge` said. */
  readonly at: (prefix: Cidr) => Imported | undefined;
  readonly paths: (prefix: Cidr) => readonly RibPath[];
  readonly imported: () => LearnedRoutes;
};

export function createRib(): Rib {
  let table = new Map<Cidr, readonly RibPath[]>();
  const outcomes = new Map<Cidr, Imported>();
  let dirty = new Set<Cidr>();
  let judgedBy: Importer | undefined;
  return {
    replace: (paths) => {
      const next = groupByPrefix(paths);
      for (const prefix of table.keys()) dirty.add(prefix);
      for (const prefix of next.keys()) dirty.add(prefix);
      table = next;
    },
    patch: (prefixes) => {
      for (const [prefix, paths] of prefixes) {
        if (paths.length === 0) table.delete(prefix);
        else table.set(prefix, paths);
        dirty.add(prefix);
      }
    },
    judge: (importer) => {
      const due = importer === judgedBy ? dirty : new Set([...table.keys(), ...dirty]);
      judgedBy = importer;
      dirty = new Set();
      for (const prefix of due) {
        const paths = table.get(prefix);
        if (paths === undefined) outcomes.delete(prefix);
        else outcomes.set(prefix, importer(prefix, paths));
      }
      return due;
    },
    at: (prefix) => outcomes.get(prefix),
    paths: (prefix) => table.get(prefix) ?? [],
    imported: () => {
      const sorted = [...outcomes].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
      return {
        routes: new Map(
          sorted.flatMap(([prefix, { route }]) => (route === undefined ? [] : [[prefix, route] as const])),
        ),
        rejected: sorted.flatMap(([, { rejected }]) => rejected),
      };
    },
  };
}
