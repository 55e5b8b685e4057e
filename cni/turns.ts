// The work of a few calls in each turn of the event loop: most of an ADD is synchronous, and a hundred that arrive together
// must not hold up everything else until the last one is through. Those of one turn go from step to step together, so
// that one pass of the agent, and one request to the kernel, serves all of them.

/** Resolves when it is the caller's turn: at once where nobody is before it. */
export type Turns = () => Promise<void>;

/**
 * The loop accepts one connection in each of its turns and reads from it in the next, so that calls which have arrived
 * come one by one. Without one in so many turns, there are no more.
 */
const QUIET_TURNS = 2;

/** `together` is how many calls may begin in one turn, at least 1. */
export function createTurns(together: number): Turns {
  const waiting: (() => void)[] = [];
  let isTaken = false;
  const begin = (): void => {
    const calls = waiting.splice(0, together);
    isTaken = calls.length > 0;
    if (!isTaken) return;
    setImmediate(gather, 0, 0);
    for (const resolve of calls) resolve();
  };
  const gather = (before: number, quiet: number): void => {
    const { length } = waiting;
    const stillQuiet = length > before ? 0 : quiet + 1;
    if (length >= together || stillQuiet > QUIET_TURNS) begin();
    else setImmediate(gather, length, stillQuiet);
  };
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve);
      if (!isTaken) begin();
    });
}
