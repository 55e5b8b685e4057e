// The forms that `get` prints objects in: table, wide table, names, YAML and JSON.
import { stringify } from 'yaml';
import { isOfKind, KINDS, type Kind, type Resource, type ResourceOf } from '../datastore/resources/index.ts';
import { printAge } from './objects-age.ts';
import { columnsOf } from './objects-columns.ts';
import { singularOf } from './objects-kind.ts';

export const OUTPUTS = ['table', 'wide', 'name', 'yaml', 'json'] as const;
export type Output = (typeof OUTPUTS)[number];

export type TableOptions = {
  readonly nowMs: number;
  readonly output: Output;
  /** Column NAMESPACE in front. */
  readonly allNamespaces?: boolean;
  /** Column LABELS at the end. */
  readonly showLabels?: boolean;
  readonly headers?: boolean;
  /** Names as `pod/web`, when several kinds are printed. */
  readonly withKind?: boolean;
};

/** The table of the objects of one kind, without a newline at the end. */
export function printTable(kind: Kind, items: readonly Resource[], options: TableOptions): string {
  const { nowMs, output, allNamespaces = false, showLabels = false, headers = true, withKind = false } = options;
  const placed = allNamespaces && KINDS[kind].namespaced;
  const { titles, cells } = columnsFor(kind, output, nowMs);
  const head = [...(placed ? ['NAMESPACE'] : []), 'NAME', ...titles, ...(showLabels ? ['LABELS'] : [])];
  const rows = items.map((item) => [
    ...(placed ? [String(item.metadata['namespace'])] : []),
    withKind ? `${singularOf(kind)}/${item.metadata.name}` : item.metadata.name,
    ...cells(item),
    ...(showLabels ? [printLabels(item)] : []),
  ]);
  return align(headers ? [head, ...rows] : rows);
}

/** Objects for programs; `single`: one object was asked for by name, so it comes without a list around it. */
export function printObjects(items: readonly Resource[], output: 'yaml' | 'json', single: boolean): string {
  const [first] = items;
  const list = { apiVersion: 'v1', items, kind: 'List', metadata: { resourceVersion: '' } };
  const value = sortKeys(single && first !== undefined ? first : list);
  if (output === 'json') return JSON.stringify(value, null, 4);
  // Texts that YAML 1.1 would read as something else (times, `yes`) are quoted, because other tools read that version.
  return stringify(value, { lineWidth: 0, indentSeq: false, version: '1.1' }).trimEnd();
}

/** One `pod/web` a line. */
export const printNames = (items: readonly Resource[]): string =>
  items.map(({ kind, metadata }) => `${singularOf(kind)}/${metadata.name}`).join('\n');

type Columns = { readonly titles: readonly string[]; readonly cells: (item: Resource) => readonly string[] };

function columnsFor<K extends Kind>(kind: K, output: Output, nowMs: number): Columns {
  const all = columnsOf(kind);
  const columns = [
    ...all.filter(({ place }) => place === undefined),
    { title: 'AGE', cell: ({ metadata }: ResourceOf<K>) => printAge(metadata.creationTimestamp, nowMs) },
    ...all.filter(({ place }) => place === 'after-age' || (place === 'wide' && output === 'wide')),
  ];
  return {
    titles: columns.map(({ title }) => title),
    cells: (item) => (isOfKind(item, kind) ? columns.map(({ cell }) => cell(item)) : []),
  };
}

function printLabels({ metadata }: Resource): string {
  const labels = Object.entries(metadata.labels ?? {}).map(([key, value]) => `${key}=${value}`);
  return labels.sort().join(',') || '<none>';
}

function align(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row.map((cell, column) => (column === row.length - 1 ? cell : cell.padEnd((widths[column] ?? 0) + 3))).join('');
  return rows.map(line).join('\n');
}

function sortKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortKeys);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, field]) => [key, sortKeys(field)]));
}
