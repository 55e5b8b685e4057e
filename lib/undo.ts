// A stack of reversals for effects of several steps: what was done is undone in reverse order unless committed.

/** `await using undo = createUndo()`; push each reversal after its step, and `commit()` once all steps are done. */
export type Undo = AsyncDisposable & {
  readonly push: (what: string, reverse: () => void | Promise<void>) => void;
  readonly commit: () => void;
};

/** `onError` hears of a reversal that failed; the others still run. */
export function createUndo(onError: (what: string, error: unknown) => void): Undo {
  let steps: { readonly what: string; readonly reverse: () => void | Promise<void> }[] = [];
  return {
    push: (what, reverse) => {
      steps.push({ what, reverse });
    },
    commit: () => {
      steps = [];
    },
    [Symbol.asyncDispose]: async () => {
      for (const { what, reverse } of steps.splice(0).reverse()) {
        try {
          await reverse();
        } catch (error) {
          onError(what, error);
        }
      }
    },
  };
}
