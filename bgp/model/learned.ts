// Which routes of the speaker's table may reach the kernel, and by which next hops.
import type { Cidr } from '../../lib/cidr.ts';
import { compareIp, type Ip } from '../../lib/ip.ts';
import { bestPaths } from './best-paths.ts';
import { createImportRules, type ImportRulesContext, type Refusal } from './import-rules.ts';
import type { RibPath } from './types.ts';

/** What decides besides the paths themselves. */
export type ImportContext = ImportRulesContext & {
  /** Why packets cannot reach a next hop (RFC 4271 section 9.1.2: such a path is no candidate). Absent: they can. */
  readonly unreachable?: (nextHop: Ip) => string | undefined;
};

export type LearnedRoute = {
  /** One to eight, sorted, of the prefix's family. */
  readonly nextHops: readonly Ip[];
};

export type RejectedRoute = Refusal & { readonly prefix: Cidr; readonly from: Ip };

export type Imported = {
  /** Absent: no path of the prefix may be used. */
  readonly route?: LearnedRoute;
  /** One for each refused path, sorted by neighbour. */
  readonly rejected: readonly RejectedRoute[];
};

/** Judges all paths of one prefix; those that originate here are passed over. */
export type Importer = (prefix: Cidr, paths: readonly RibPath[]) => Imported;

/** Next hops of one kernel route. */
const MAX_NEXT_HOPS = 8;

export function createImporter(context: ImportContext): Importer {
  const rules = createImportRules(context);
  const unreachable = ({ nextHop }: RibPath): Refusal | undefined => {
    const why = context.unreachable?.(nextHop);
    return why === undefined ? undefined : { why };
  };
  return (prefix, paths) => {
    const learned = paths.filter((path) => !path.local && path.from !== undefined);
    if (learned.length === 0) return NOTHING;
    const refusalOf = rules(prefix);
    const candidates: RibPath[] = [];
    const rejected: RejectedRoute[] = [];
    for (const path of learned) {
      const refusal = refusalOf(path) ?? unreachable(path);
      if (refusal === undefined) candidates.push(path);
      else if (path.from !== undefined) rejected.push({ prefix, from: path.from, ...refusal });
    }
    rejected.sort((a, b) => compareIp(a.from, b.from));
    if (candidates.length === 0) return { rejected };
    const nextHops = [...new Set(bestPaths(candidates).map((path) => path.nextHop))].sort(compareIp);
    return { route: { nextHops: nextHops.slice(0, MAX_NEXT_HOPS) }, rejected };
  };
}

const NOTHING: Imported = { rejected: [] };

export type LearnedRoutes = {
  readonly routes: ReadonlyMap<Cidr, LearnedRoute>;
  /** One for each refused path, sorted by prefix and neighbour. */
  readonly rejected: readonly RejectedRoute[];
};

/** Judges a whole table at once. */
export function learnedRoutes({
  paths,
  ...context
}: ImportContext & { readonly paths: readonly RibPath[] }): LearnedRoutes {
  const judge = createImporter(context);
  const routes = new Map<Cidr, LearnedRoute>();
  const rejected: RejectedRoute[] = [];
  for (const [prefix, those] of groupByPrefix(paths)) {
    const outcome = judge(prefix, those);
    if (outcome.route !== undefined) routes.set(prefix, outcome.route);
    rejected.push(...outcome.rejected);
  }
  return { routes, rejected: rejected.sort((a, b) => (a.prefix < b.prefix ? -1 : a.prefix > b.prefix ? 1 : 0)) };
}

export function groupByPrefix(paths: readonly RibPath[]): Map<Cidr, RibPath[]> {
  const groups = new Map<Cidr, RibPath[]>();
  for (const path of paths) {
    const group = groups.get(path.prefix);
    if (group === undefined) groups.set(path.prefix, [path]);
    else group.push(path);
  }
  return groups;
}
