// Following the datastore for ever: a task that follows its watch is begun again when that breaks.
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../lib/log.ts';

/** Pause before a broken watch is opened again, in milliseconds. */
const RETRY_MS = 1000;

/** Ends when `signal` aborts, which `follow` must hear too. */
export async function keepTrying(
  follow: () => Promise<void>,
  { log, signal }: { readonly log: Log; readonly signal: AbortSignal },
): Promise<void> {
  while (!signal.aborted) {
    try {
      await follow();
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'datastore watch broken');
    }
    await delay(RETRY_MS, undefined, { signal }).catch(() => undefined); // Aborted: the loop's condition ends it.
  }
}
