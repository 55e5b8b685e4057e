// Waiting for a condition with a deadline: nothing in the project waits without one.
import { setTimeout as delay } from 'node:timers/promises';

/**
 * Polls until `probe` returns something other than `undefined` or `false`, and returns it. Absent `timeoutMs`: half a minute,
 * since what takes a second may take twenty on a machine that has much else to do.
 * @throws Error `Cannot wait for <what>: …` when `timeoutMs` have passed
 */
export async function waitFor<T>(
  what: string,
  probe: () => T | undefined | false | Promise<T | undefined | false>,
  { timeoutMs = 30_000, everyMs = 20 }: { readonly timeoutMs?: number; readonly everyMs?: number } = {},
): Promise<T> {
  const deadline = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (performance.now() >= deadline) {
      throw new Error(`Cannot wait for ${what}: not seen within ${timeoutMs} ms`);
    }
    await delay(everyMs);
  }
}
