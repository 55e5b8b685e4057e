// One at a time per key, in the order of asking; different keys do not wait for each other.

export type KeyedLock = (key: string) => Promise<Disposable>;

/** `using held = await lock(key)`: held until the end of the block. */
export function createKeyedLock(): KeyedLock {
  const tails = new Map<string, Promise<void>>();
  return async (key) => {
    const before = tails.get(key);
    const { promise, resolve } = Promise.withResolvers<void>();
    tails.set(key, promise);
    await before;
    return {
      [Symbol.dispose]: () => {
        if (tails.get(key) === promise) tails.delete(key);
        resolve();
      },
    };
  };
}
