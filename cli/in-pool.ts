// A few jobs at a time out of many.

/** Starts `job` for each item, at most `width` at once, and yields the results in the order in which they come. */
export async function* inPool<T, R>(
  items: readonly T[],
  width: number,
  job: (item: T) => Promise<R>,
): AsyncGenerator<R, void> {
  const running = new Map<T, Promise<{ readonly item: T; readonly result: R }>>();
  const next = async (): Promise<R> => {
    const { item, result } = await Promise.race(running.values());
    running.delete(item);
    return result;
  };
  for (const item of items) {
    running.set(
      item,
      job(item).then((result) => ({ item, result })),
    );
    if (running.size >= width) yield await next();
  }
  while (running.size > 0) yield await next();
}
