// One job after the other: what changes blocks in the datastore must not overlap with another change of blocks.

export type Serial = <T>(job: () => Promise<T>) => Promise<T>;

/** A job that fails does not stop those behind it. */
export function createSerial(): Serial {
  let last: Promise<unknown> = Promise.resolve();
  return <T>(job: () => Promise<T>): Promise<T> => {
    const mine = last.then(job, job);
    last = mine.catch(() => undefined);
    return mine;
  };
}
