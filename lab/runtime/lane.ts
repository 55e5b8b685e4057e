// A lane of bounded width for asynchronous work, first come first served.

export type Lane = {
  /** Runs `work` when there is room. */
  readonly run: <T>(work: () => Promise<T>) => Promise<T>;
  /** Resolves once nothing runs or waits. */
  readonly idle: () => Promise<void>;
};

export function createLane(width: number): Lane {
  const waiting: (() => void)[] = [];
  const idlers: (() => void)[] = [];
  let running = 0;
  // The place of one that leaves goes to the first that waits, so that nobody slips in between.
  const leave = (): void => {
    const next = waiting.shift();
    if (next === undefined) running--;
    else next();
    if (running === 0) for (const wake of idlers.splice(0)) wake();
  };
  return {
    run: async (work) => {
      if (running < width) running++;
      else await new Promise<void>((enter) => waiting.push(enter));
      try {
        return await work();
      } finally {
        leave();
      }
    },
    idle: async () => {
      while (running > 0) await new Promise<void>((wake) => idlers.push(wake));
    },
  };
}
