// Which pools may serve a pod on this node, and why the others may not. What cannot be understood serves nobody.
//
// Who asks for pools by name (the pod's annotation before its namespace's before the network configuration's: that is
// for the caller to settle) gets them in that order, whatever their selectors say, or nothing. Everybody else gets the
// pools whose selectors match node and namespace.
import { type IpPool, noPodRange } from '../../datastore/resources/ip-pool.ts';
import { type Cidr, cidrFamily, cidrOverlaps, parseCidr } from '../../lib/cidr.ts';
import type { Family } from '../../lib/ip.ts';
import { parseSelector } from '../../lib/selector/parse-selector.ts';
import { selectorMatches } from '../../lib/selector/selector-matches.ts';
import type { Labels } from '../../lib/selector/types.ts';

export type PoolWant =
  /** What there is. */
  | { readonly kind: 'automatic' }
  /** What some pod may get on this node: one of another namespace, or one that names the pool. */
  | { readonly kind: 'some' }
  /** An address that the pod names: any enabled pool may have it, on any node. */
  | { readonly kind: 'address' }
  /** Names or CIDRs of pools, in order of preference. */
  | { readonly kind: 'named'; readonly pools: readonly string[] };

export type PoolQuery = {
  readonly family: Family;
  readonly nodeLabels: Labels;
  /** Of the pod's namespace. Absent: not known, so that pools for some namespaces do not serve. */
  readonly namespaceLabels?: Labels | undefined;
  readonly want: PoolWant;
};

export type PoolChoice = {
  /** In order of preference: as named, else by name. */
  readonly usable: readonly IpPool[];
  /** Pools of the family that do not serve, each with the reason. */
  readonly refused: readonly PoolRefusal[];
};

export type PoolRefusal = {
  readonly pool: string;
  /** Absent: there is no such pool. */
  readonly range?: Cidr;
  readonly why: string;
};

export function choosePools(pools: readonly IpPool[], query: PoolQuery): PoolChoice {
  const sorted = [...pools].sort((a, b) => compareText(a.metadata.name, b.metadata.name));
  const { want, family } = query;
  if (want.kind === 'named') return chooseNamed(sorted, want.pools, family);
  const usable: IpPool[] = [];
  const refused: PoolRefusal[] = [];
  for (const pool of sorted) {
    if (cidrFamily(pool.spec.cidr) !== family) continue;
    const why = unfit(pool, sorted) ?? (want.kind === 'address' ? undefined : unselected(pool, query));
    if (why === undefined) usable.push(pool);
    else refused.push({ pool: pool.metadata.name, range: pool.spec.cidr, why });
  }
  return { usable, refused };
}

// One name that cannot be served refuses the request: a pod that names pools relies on being in one of them.
function chooseNamed(sorted: readonly IpPool[], names: readonly string[], family: Family): PoolChoice {
  const usable: IpPool[] = [];
  const refused: PoolRefusal[] = [];
  for (const name of names) {
    const pool = sorted.find(({ metadata, spec }) => metadata.name === name || spec.cidr === canonical(name));
    const why =
      pool === undefined
        ? 'there is none of this name or CIDR'
        : cidrFamily(pool.spec.cidr) === family
          ? unfit(pool, sorted)
          : `spec.cidr ${pool.spec.cidr} is not of IPv${family}`;
    if (pool !== undefined && why === undefined) usable.push(pool);
    else refused.push({ pool: name, ...(pool === undefined ? {} : { range: pool.spec.cidr }), why: why ?? '' });
  }
  return { usable: refused.length === 0 ? usable : [], refused };
}

function canonical(text: string): string | undefined {
  const parsed = parseCidr(text);
  return parsed.ok ? parsed.value : undefined;
}

/** Why the pool, one of `pools`, serves no pod at all. */
export function unfit(pool: IpPool, pools: readonly IpPool[]): string | undefined {
  const { disabled, allowedUses = [] } = pool.spec;
  if (disabled === true) return 'spec.disabled is true';
  if (pool.metadata.deletionTimestamp !== undefined) return 'it is being deleted';
  // None at all is the default (projectcalico.org/v3 IPPool).
  if (allowedUses.length > 0 && !allowedUses.includes('Workload')) return 'spec.allowedUses does not include Workload';
  const useless = noPodRange(pool.spec.cidr);
  return useless === undefined ? overlap(pool, pools) : `spec.cidr ${useless}`;
}

/** Why the pool does not serve a pod that asks for none; of `some`: why it is not for this node. */
function unselected({ spec }: IpPool, { nodeLabels, namespaceLabels, want }: PoolQuery): string | undefined {
  const { assignmentMode, nodeSelector = '', namespaceSelector = '' } = spec;
  if (assignmentMode === 'Manual' && want.kind !== 'some') return 'spec.assignmentMode is Manual';
  if (!selects(nodeSelector, nodeLabels)) return `spec.nodeSelector "${nodeSelector}" does not select this node`;
  if (want.kind === 'some' || selects(namespaceSelector, namespaceLabels)) return undefined;
  return `spec.namespaceSelector "${namespaceSelector}" does not select the pod's namespace`;
}

function selects(text: string, labels: Labels | undefined): boolean {
  const selector = parseSelector(text);
  if (!selector.ok) return false;
  return selector.value.kind === 'all' || (labels !== undefined && selectorMatches(selector.value, labels));
}

// Blocks of different sizes could overlap without a common name, and then the atomic create would not keep them apart.
function overlap(pool: IpPool, pools: readonly IpPool[]): string | undefined {
  const older = pools.find(
    (other) =>
      other !== pool &&
      other.spec.disabled !== true &&
      cidrOverlaps(other.spec.cidr, pool.spec.cidr) &&
      isOlder(other, pool),
  );
  if (older === undefined) return undefined;
  return `spec.cidr ${pool.spec.cidr} overlaps ${older.spec.cidr} of the older IPPool "${older.metadata.name}"`;
}

function isOlder(a: IpPool, b: IpPool): boolean {
  const times = compareText(a.metadata.creationTimestamp ?? '~', b.metadata.creationTimestamp ?? '~');
  return (times === 0 ? compareText(a.metadata.name, b.metadata.name) : times) < 0;
}

const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);
