// How soon to look after what somebody else changed: at once for the first few times, then ever less, so that a program
// that undoes each repair gets neither a fight nor the processor. Pure; times in milliseconds of any clock.

export type RepairPace = {
  /** How long to wait before looking. */
  readonly delayMs: (now: number) => number;
  /** A look that began at `began` is over. */
  readonly looked: (outcome: { readonly began: number; readonly now: number; readonly repaired: boolean }) => void;
};

/** Lets what belongs together arrive together. */
const FIRST_MS = 20;
/** So many repairs are made without waiting; one more for each second without any. */
const BURST = 10;
const REFILL_MS = 1000;
/** Looks are apart by so many times what the last one took. */
const REST = 4;

export function createRepairPace(): RepairPace {
  let credit = BURST;
  let countedAt = 0;
  let restUntil = 0;
  const count = (now: number): void => {
    credit = Math.min(BURST, credit + Math.max(0, now - countedAt) / REFILL_MS);
    countedAt = now;
  };
  return {
    delayMs: (now) => {
      count(now);
      const untilCredit = credit >= 1 ? 0 : (1 - credit) * REFILL_MS;
      return Math.max(FIRST_MS, untilCredit, restUntil - now);
    },
    looked: ({ began, now, repaired }) => {
      count(now);
      restUntil = now + (now - began) * REST;
      if (repaired) credit -= 1;
    },
  };
}
