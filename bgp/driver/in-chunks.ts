// Many calls, some at a time.

/** Calls under way at once; gobgpd serialises them anyway. */
const IN_FLIGHT = 32;

/** Returns how many steps succeeded. */
export async function inChunks<T>(items: readonly T[], step: (item: T) => Promise<boolean>): Promise<number> {
  let done = 0;
  for (let at = 0; at < items.length; at += IN_FLIGHT) {
    const results = await Promise.all(items.slice(at, at + IN_FLIGHT).map(step));
    done += results.filter(Boolean).length;
  }
  return done;
}
