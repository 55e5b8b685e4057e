// Who reaches whom: every pair of pods for each port, by the rules, and checked against the oracle.
import { type Family, ipFamily } from '../../lib/ip.ts';
import type { Place } from '../../policy/explain/places.ts';
import { verdict, type World } from '../../policy/oracle.ts';
import { type PodKey, podKey } from '../../policy/world.ts';
import { targetPort } from './target-port.ts';
import type { PortSpec } from './verdict-query.ts';
import type { Explainer } from './verdict-report.ts';

/** A port, and what its table is called. */
export type MatrixPort = { readonly text: string; readonly port: PortSpec };

/**
 * `order`: the pods, sorted. `tables`: for each port a text per source with a sign per destination: `.` allowed, `X`
 * denied, `#` the pod itself, `P` the destination has no port of that name. `disagreements` are sentences about cells
 * where rules and oracle differ: defects of this program.
 */
export type Matrix = {
  readonly order: readonly PodKey[];
  readonly tables: Readonly<Record<string, readonly string[]>>;
  readonly disagreements: readonly string[];
};

/** Pods without an address, and those that ran to their end, have no part. */
export function connectivityMatrix(
  explainer: Explainer,
  ports: readonly MatrixPort[],
  family: Family | undefined,
): Matrix {
  const { world } = explainer;
  const order = world.pods
    .filter(({ finished, ips }) => !finished && ips.length > 0)
    .map(({ namespace, name }) => podKey(namespace, name))
    .sort();
  const disagreements: string[] = [];
  const common = { explainer, family, disagreements, around: createVicinity(world) };
  const tables = ports.map(({ text, port }) => {
    const rows = order.map((from) =>
      order.map((to) => (from === to ? '#' : cell({ ...common, port, text }, from, to))).join(''),
    );
    return [text, rows] as const;
  });
  return { order, tables: Object.fromEntries(tables), disagreements };
}

type Table = {
  readonly explainer: Explainer;
  readonly port: PortSpec;
  readonly family: Family | undefined;
  readonly text: string;
  readonly disagreements: string[];
  readonly around: ReturnType<typeof createVicinity>;
};

function cell(table: Table, from: PodKey, to: PodKey): '.' | 'X' | 'P' {
  const { explainer, port, family, text, disagreements } = table;
  const { places, judge } = explainer;
  const target = targetPort(port, places.pod(to));
  if (target === undefined) return 'P';
  const ends = places.resolve({ pod: from }, { pod: to }, family);
  if (ends === undefined) return 'X';
  const allowed = judge.allows({ ...ends, ...target });
  const opinion = verdict(table.around(ends), {
    from: { pod: from },
    to: { pod: to },
    ...target,
    family: ipFamily(ends.from.ip),
  });
  if (opinion.allowed !== allowed) {
    const [rules, oracle] = allowed ? ['allow', 'denies'] : ['deny', 'allows'];
    disagreements.push(`${from} to ${to} on ${text}: the rules ${rules} it, the oracle ${oracle} it`);
  }
  return allowed ? '.' : 'X';
}

/**
 * The part of a world that can matter to the oracle between two places: it reads all policies and pods for each packet,
 * which is too much for a whole table.
 */
function createVicinity(world: World): (ends: { readonly from: Place; readonly to: Place }) => World {
  const pods = groupBy(world.pods, ({ ips }) => ips);
  const policies = groupBy(world.policies, ({ metadata }) => [
    'namespace' in metadata ? metadata.namespace : undefined,
  ]);
  return ({ from, to }) => {
    const namespaces = new Set([undefined, from.pod?.namespace, to.pod?.namespace]);
    return {
      ...world,
      pods: [...new Set([...(pods.get(from.ip) ?? []), ...(pods.get(to.ip) ?? [])])],
      policies: [...namespaces].flatMap((namespace) => policies.get(namespace) ?? []),
    };
  };
}

function groupBy<T, K>(items: readonly T[], keysOf: (item: T) => readonly K[]): ReadonlyMap<K, readonly T[]> {
  const groups = new Map<K, T[]>();
  for (const item of items) {
    for (const key of new Set(keysOf(item))) {
      const group = groups.get(key) ?? [];
      group.push(item);
      groups.set(key, group);
    }
  }
  return groups;
}
