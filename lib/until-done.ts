// Trying until it works: for what the agent cannot go on without at start, such as its datastore.
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from './log.ts';

/**
 * Repeats `action` until it returns, with pauses that double from 50 ms to 5 s; each failure is logged.
 * @throws the signal's reason when it aborts
 */
export async function untilDone<T>(
  what: string,
  action: () => Promise<T>,
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
): Promise<T> {
  for (let pauseMs = 50; ; pauseMs = Math.min(pauseMs * 2, 5000)) {
    signal.throwIfAborted();
    try {
      return await action();
    } catch (error) {
      log.warn({ err: error, what, pauseMs }, 'not yet, trying again');
    }
    await delay(pauseMs, undefined, { signal });
  }
}
