// Which pools may serve a pod on this node, and why the others may not. What cannot be understood serves nobody.
import type { IpPool } from '../../datastore/resources/ip-pool.ts';
import { cidrFamily, cidrOverlaps } from '../../lib/cidr.ts';
import type { Family } from '../../lib/ip.ts';

export type Labels = Readonly<Record<string, string>>;

export type PoolQuery = {
  readonly family: Family;
  readonly nodeLabels: Labels;
  /** `automatic`: the pod takes what there is. `requested`: it names an address, which Manual pools serve too, on any node. */
  readonly purpose: 'automatic' | 'requested';
  /** Evaluates a Calico selector that is not `all()`. Absent: a pool with such a selector serves no pod. */
  readonly matches?: ((selector: string, labels: Labels) => boolean) | undefined;
};

export type PoolChoice = {
  /** Sorted by name. */
  readonly usable: readonly IpPool[];
  /** Pools of the family that do not serve, each with the reason. */
  readonly refused: readonly { readonly pool: string; readonly why: string }[];
};

export function choosePools(pools: readonly IpPool[], query: PoolQuery): PoolChoice {
  const usable: IpPool[] = [];
  const refused: { readonly pool: string; readonly why: string }[] = [];
  const sorted = [...pools].sort((a, b) => compareText(a.metadata.name, b.metadata.name));
  for (const pool of sorted) {
    if (cidrFamily(pool.spec.cidr) !== query.family) continue;
    const why = refusal(pool, query) ?? overlap(pool, sorted);
    if (why === undefined) usable.push(pool);
    else refused.push({ pool: pool.metadata.name, why });
  }
  return { usable, refused };
}

function refusal(pool: IpPool, query: PoolQuery): string | undefined {
  const { disabled, allowedUses, assignmentMode, nodeSelector, namespaceSelector } = pool.spec;
  if (disabled === true) return 'spec.disabled is true';
  if (pool.metadata.deletionTimestamp !== undefined) return 'it is being deleted';
  if (allowedUses?.includes('Workload') === false) return 'spec.allowedUses does not include Workload';
  if (query.purpose === 'requested') return undefined;
  if (assignmentMode === 'Manual') return 'spec.assignmentMode is Manual';
  if (!selectsAll(namespaceSelector)) return `spec.namespaceSelector "${namespaceSelector}" is not supported`;
  return selects(nodeSelector, query) ? undefined : `spec.nodeSelector "${nodeSelector}" does not select this node`;
}

function selects(selector: string | undefined, { matches, nodeLabels }: PoolQuery): boolean {
  return selectsAll(selector) || (matches?.(String(selector), nodeLabels) ?? false);
}

const selectsAll = (selector = ''): boolean => /^\s*(all\s*\(\s*\)\s*)?$/.test(selector);

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
