// One entry of a connectivity table, and the table as text.

export type Access = 'allow' | 'deny';

export type Cell = {
  /** `namespace/pod`, or an address outside of the cluster. */
  readonly from: string;
  /** `namespace/pod`. */
  readonly to: string;
  readonly port: number;
  readonly protocol: 'TCP' | 'UDP';
  readonly expected: Access;
  readonly observed: Access;
  /** What came back instead of an answer. Absent: an answer, or nothing at all. */
  readonly why?: string;
};

export const isAsExpected = ({ expected, observed }: Cell): boolean => expected === observed;

/**
 * Rows are senders, columns are numbered targets: `.` allowed, `X` denied, both as expected; `!` is a mismatch, told
 * below in words; blank is no cell.
 */
export function printCells(cells: readonly Cell[]): string {
  const targets = [...new Set(cells.map(targetName))].toSorted();
  const senders = [...new Set(cells.map(({ from }) => from))].toSorted();
  const byPlace = new Map(cells.map((cell) => [`${cell.from} ${targetName(cell)}`, cell]));
  const width = Math.max(4, ...senders.map((sender) => sender.length));
  const row = (name: string, entries: readonly string[]): string =>
    `  ${name.padEnd(width)}${entries.map((entry) => entry.padStart(3)).join('')}`;
  const wrong = cells.filter((cell) => !isAsExpected(cell));
  return [
    ...targets.map((target, index) => `  ${String(index + 1).padStart(2)} ${target}`),
    row(
      'from',
      targets.map((_, index) => String(index + 1)),
    ),
    ...senders.map((sender) =>
      row(
        sender,
        targets.map((target) => symbol(byPlace.get(`${sender} ${target}`))),
      ),
    ),
    `  ${cells.length - wrong.length} of ${cells.length} connections as expected`,
    ...wrong.map(
      (cell) =>
        `  ! ${cell.from} -> ${targetName(cell)}: expected ${cell.expected}, observed ${cell.observed}` +
        (cell.why === undefined ? '' : ` (${cell.why})`),
    ),
  ].join('\n');
}

const targetName = ({ to, port, protocol }: Cell): string => `${to} ${port}/${protocol.toLowerCase()}`;

function symbol(cell: Cell | undefined): string {
  if (cell === undefined) return ' ';
  if (!isAsExpected(cell)) return '!';
  return cell.observed === 'allow' ? '.' : 'X';
}
