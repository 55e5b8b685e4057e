// The work of one call in each turn of the event loop: most of an ADD is synchronous, and a hundred that arrive together
// must not hold up everything else until the last one is through.

/** Resolves when it is the caller's turn: at once where nobody is before it. */
export type Turns = () => Promise<void>;

export function createTurns(): Turns {
  const waiting: (() => void)[] = [];
  let isTaken = false;
  const next = (): void => {
    const resolve = waiting.shift();
    isTaken = resolve !== undefined;
    if (resolve === undefined) return;
    setImmediate(next);
    resolve();
  };
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      if (!isTaken) next();
    });
}
