// Ages as kubectl prints them: two units at most, and only one where the second would say nothing.

const MINUTE = 60;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const YEAR = 365 * DAY;

/** `createdAt` is RFC 3339, `nowMs` milliseconds since the epoch; `<unknown>` without a readable time. */
export function printAge(createdAt: string | undefined, nowMs: number): string {
  const created = Date.parse(createdAt ?? '');
  if (Number.isNaN(created)) return '<unknown>';
  const s = Math.max(0, Math.floor((nowMs - created) / 1000));
  if (s < 2 * MINUTE) return `${s}s`;
  if (s < 10 * MINUTE) return two(s, MINUTE, 'm', 1, 's');
  if (s < 3 * HOUR) return `${Math.floor(s / MINUTE)}m`;
  if (s < 8 * HOUR) return two(s, HOUR, 'h', MINUTE, 'm');
  if (s < 2 * DAY) return `${Math.floor(s / HOUR)}h`;
  if (s < 8 * DAY) return two(s, DAY, 'd', HOUR, 'h');
  if (s < 2 * YEAR) return `${Math.floor(s / DAY)}d`;
  if (s < 8 * YEAR) return two(s, YEAR, 'y', DAY, 'd');
  return `${Math.floor(s / YEAR)}y`;
}

function two(s: number, unit: number, unitName: string, rest: number, restName: string): string {
  const count = Math.floor((s % unit) / rest);
  return `${Math.floor(s / unit)}${unitName}${count === 0 ? '' : `${count}${restName}`}`;
}
