// Structured logging: JSON lines on stderr, a constant message with data in fields. error = a user must act, warn =
// degraded and healing itself, info = lifecycle, debug = per event.
import { type Logger, pino } from 'pino';

export type Log = Logger;

/** The process's logger; `MARGAY_LOG` sets the level (default info). */
export function createLog(name: string): Log {
  return pino(
    { name, base: { name, pid: process.pid }, level: process.env['MARGAY_LOG'] ?? 'info' },
    pino.destination({ dest: 2, sync: true }),
  );
}
