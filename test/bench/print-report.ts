// A report as a table for people.
import type { Report, Result } from './types.ts';

/** Columns: line, unit, ours, the other, ratio of the medians, goal. */
export function printReport({ machine, results }: Report): string {
  const rows = [
    ['', 'unit', 'ours p50', 'p90', 'p99', 'other p50', 'p90', 'other', 'ratio', 'goal', ''],
    ...results.map(rowOf),
  ];
  const widths = rows[0]?.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0))) ?? [];
  const lines = rows.map((row) =>
    row
      .map((cell, column) =>
        isNumeric(column) ? cell.padStart(widths[column] ?? 0) : cell.padEnd(widths[column] ?? 0),
      )
      .join('  ')
      .trimEnd(),
  );
  return [`${machine.cpu}, kernel ${machine.kernel}, load ${machine.load}`, '', ...lines].join('\n');
}

const isNumeric = (column: number): boolean => (column >= 2 && column <= 6) || column === 8;

function rowOf({ name, unit, ours, other, ratio, goal, met }: Result): readonly string[] {
  return [
    name,
    unit,
    figure(ours.p50),
    figure(ours.p90),
    figure(ours.p99),
    other === null ? '' : figure(other.p50),
    other === null ? '' : figure(other.p90),
    other?.name ?? '',
    ratio === null ? '' : figure(ratio),
    goal,
    goal === '' ? '' : met ? 'met' : 'MISSED',
  ];
}

/** Three significant digits, without exponent. */
export function figure(value: number): string {
  if (value === 0 || Number.isInteger(value)) return String(value);
  const digits = Math.max(0, 2 - Math.floor(Math.log10(Math.abs(value))));
  return value.toFixed(digits);
}
