// Wakes watchers after a commit, in this process at once and in other processes through inotify on a notify file. The
// database files themselves do not serve: their last inotify event comes before the commit is visible to readers.
import { closeSync, constants, type FSWatcher, openSync, watch, writeSync } from 'node:fs';

/** How often a watcher looks without having been woken, with inotify and without. */
const POLL_MS = 500;
const POLL_WITHOUT_INOTIFY_MS = 50;

export type Notifier = {
  /** To be called after every commit. */
  readonly notify: () => void;
  /** `wake` runs after commits of any process, often spuriously, and at least twice a second. Returns its end. */
  readonly subscribe: (wake: () => void) => () => void;
  readonly close: () => void;
};

export function createNotifier(databasePath: string): Notifier {
  const path = `${databasePath}-notify`;
  let fd: number | undefined = openSync(path, constants.O_CREAT | constants.O_RDWR, 0o600);
  const listeners = new Set<() => void>();
  const wakeAll = (): void => {
    for (const wake of listeners) wake();
  };
  let source: { readonly stop: () => void } | undefined;
  const unsubscribe = (wake: () => void): void => {
    listeners.delete(wake);
    if (listeners.size > 0) return;
    source?.stop();
    source = undefined;
  };
  return {
    notify: () => {
      wakeAll();
      if (fd !== undefined) writeSync(fd, '.', 0);
    },
    subscribe: (wake) => {
      listeners.add(wake);
      source ??= startSource(path, wakeAll);
      return () => unsubscribe(wake);
    },
    close: () => {
      source?.stop();
      source = undefined;
      // Watchers that are still there find the database closed.
      wakeAll();
      if (fd !== undefined) closeSync(fd);
      fd = undefined;
    },
  };
}

function startSource(path: string, wakeAll: () => void): { readonly stop: () => void } {
  const inotify = tryWatch(path, wakeAll);
  const timer = setInterval(wakeAll, inotify === undefined ? POLL_WITHOUT_INOTIFY_MS : POLL_MS);
  return {
    stop: () => {
      clearInterval(timer);
      inotify?.close();
    },
  };
}

/** `undefined` when the kernel has no inotify instance or watch left: polling then does the work. */
function tryWatch(path: string, wakeAll: () => void): FSWatcher | undefined {
  try {
    const watcher = watch(path, wakeAll);
    watcher.on('error', () => watcher.close());
    return watcher;
  } catch {
    return undefined;
  }
}
