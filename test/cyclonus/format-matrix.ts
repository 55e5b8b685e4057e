// What was seen, as tables of pods × pods, for the message of a failing test.

/** One cell: `.` for passed, `X` for dropped. `service` is like `tcp/80`. */
export type SeenCell = {
  readonly from: string;
  readonly to: string;
  readonly service: string;
  readonly want: '.' | 'X';
  readonly got: '.' | 'X';
};

/**
 * A table for each service that has a wrong cell; rows send, columns receive. A wrong cell is shown as `want>got`, one
 * that was not asked for as `-`.
 */
export function formatMatrix(cells: readonly SeenCell[]): string {
  const wrong = new Set(cells.filter(({ want, got }) => want !== got).map(({ service }) => service));
  const tables = [...wrong].map((service) => formatService(cells.filter((cell) => cell.service === service)));
  return [...wrong].map((service, at) => `${service}\n${tables[at]}`).join('\n');
}

function formatService(cells: readonly SeenCell[]): string {
  const ends = [...new Set(cells.flatMap(({ from, to }) => [from, to]))].sort();
  const texts = new Map(cells.map((cell) => [`${cell.from} ${cell.to}`, textOf(cell)]));
  const width = Math.max(3, ...ends.map((end) => end.length)) + 1;
  const line = (parts: readonly string[]): string => parts.map((part) => part.padEnd(width)).join('');
  return [
    line(['', ...ends]),
    ...ends.map((from) => line([from, ...ends.map((to) => texts.get(`${from} ${to}`) ?? '-')])),
  ].join('\n');
}

const textOf = ({ want, got }: SeenCell): string => (want === got ? got : `${want}>${got}`);
