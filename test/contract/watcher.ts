// A watch that runs beside a test: what it has told so far, and an end that waits for it.
import type { Kind } from '../../datastore/resources/index.ts';
import type { Store, WatchEvent } from '../../datastore/store.ts';
import { waitFor } from '../../lib/wait-for.ts';

export type Watcher = {
  /** `put Pod/shop/a`, `delete …`, `invalid …`, `in-sync`, in the order they came. */
  readonly lines: () => readonly string[];
  readonly events: () => readonly WatchEvent[];
  /** Waits until a line was told. @throws Error when the watch ended or 30 s have passed */
  readonly saw: (line: string) => Promise<void>;
  /** Ends the watch. @throws what the watch threw */
  readonly stop: () => Promise<void>;
};

export function startWatcher(store: Store, kinds: readonly Kind[]): Watcher {
  const events: WatchEvent[] = [];
  const controller = new AbortController();
  let failure: { readonly error: unknown } | undefined;
  const running = (async () => {
    for await (const event of store.watch(kinds, controller.signal)) events.push(event);
  })().catch((error: unknown) => {
    failure = { error };
  });
  const lines = (): readonly string[] => events.map(lineOf);
  const rethrow = (): void => {
    if (failure !== undefined) throw failure.error;
  };
  return {
    lines,
    events: () => events,
    saw: async (line) => {
      await waitFor(
        `watch event "${line}"`,
        () => {
          rethrow();
          return lines().includes(line);
        },
        { timeoutMs: 30_000, everyMs: 5 },
      );
    },
    stop: async () => {
      controller.abort();
      await running;
      rethrow();
    },
  };
}

const lineOf = (event: WatchEvent): string => (event.kind === 'in-sync' ? 'in-sync' : `${event.kind} ${event.key}`);
