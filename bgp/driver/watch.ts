// Keeps the event stream of gobgpd open, and turns it into events that say what to read again. What an event means
// differs between versions (a changed path, the whole set of equal paths, what is left of it): only its prefixes count.
//
//   connecting ──GetBgp answers──► up ──event stream ends──► down ──backoff 50 ms … 1 s──► connecting
import { setTimeout as delay } from 'node:timers/promises';
import type { Cidr } from '../../lib/cidr.ts';
import type { Log } from '../../lib/log.ts';
import type { BgpEvent } from '../model/types.ts';
import type { Codec, WatchedChange } from './codec.ts';
import type { Rpc } from './rpc.ts';
import { whichGeneration } from './which-generation.ts';

export type Watch = {
  readonly rpc: Rpc;
  readonly log: Log;
  readonly onEvent: (event: BgpEvent) => void;
  /** Before `up` and, with `undefined`, before `down`. */
  readonly onGeneration: (codec: Codec | undefined) => void;
  readonly signal: AbortSignal;
};

/** Changes within this time are one event. */
const QUIET_MS = 20;
/** What belongs to one message of the daemon comes within this time, in milliseconds. */
const FIRST_MS = 2;
/** From this number on, reading one prefix after the other costs gobgpd more than listing all. */
const MOST_PREFIXES = 200;
const RETRY_MS = { first: 50, last: 1000 };

/** Ends with the signal. */
export async function watchForever({ rpc, log, onEvent, onGeneration, signal }: Watch): Promise<void> {
  let retryMs = RETRY_MS.first;
  while (!signal.aborted) {
    let up = false;
    const changed = coalesce(onEvent);
    const ended = new AbortController();
    try {
      const codec = await whichGeneration(rpc, signal);
      // The stream is open before `up`, so that no change after it is missed.
      const events = rpc
        .stream(codec.watch, undefined, { signal: AbortSignal.any([signal, ended.signal]), length: 'endless' })
        [Symbol.asyncIterator]();
      const first = events.next();
      first.catch(() => undefined); // It is awaited below, after GetBgp has said why.
      await rpc.unary(codec.getBgp, undefined, signal);
      up = true;
      retryMs = RETRY_MS.first;
      log.info({ api: codec.generation }, 'gobgpd is up');
      onGeneration(codec);
      onEvent({ kind: 'up' });
      for (let next = await first; !next.done; next = await events.next()) {
        if (next.value !== undefined) changed.add(next.value);
      }
      throw new Error('Cannot watch gobgpd: the event stream ended');
    } catch (error) {
      changed.stop();
      onGeneration(undefined);
      if (signal.aborted) return;
      const why = error instanceof Error ? error.message : String(error);
      log[up ? 'warn' : 'debug']({ why }, 'gobgpd is down');
      if (up) onEvent({ kind: 'down', why });
    } finally {
      ended.abort();
    }
    await delay(retryMs, undefined, { signal }).catch(() => undefined); // Aborted: the loop's condition ends it.
    retryMs = Math.min(retryMs * 2, RETRY_MS.last);
  }
}

/** Tells changes as events: one at once, those of a burst together, and from many prefixes on without their names. */
export function coalesce(onEvent: (event: BgpEvent) => void) {
  const due = new Map<WatchedChange['kind'], NodeJS.Timeout>();
  const toldAt = new Map<WatchedChange['kind'], number>();
  let prefixes = new Set<Cidr>();
  const tell = (kind: WatchedChange['kind']): void => {
    due.delete(kind);
    toldAt.set(kind, performance.now());
    onEvent(kind === 'peer-changed' ? { kind } : { kind, ...taken() });
  };
  const taken = (): { readonly prefixes?: ReadonlySet<Cidr> } => {
    const changed = prefixes;
    prefixes = new Set();
    return changed.size < MOST_PREFIXES ? { prefixes: changed } : {};
  };
  return {
    add: (change: WatchedChange): void => {
      if (change.kind === 'rib-changed' && prefixes.size < MOST_PREFIXES) {
        for (const prefix of change.prefixes) prefixes.add(prefix);
      }
      if (due.has(change.kind)) return;
      // A single change is told at once; only those of a burst wait for each other.
      const since = performance.now() - (toldAt.get(change.kind) ?? Number.NEGATIVE_INFINITY);
      due.set(change.kind, setTimeout(tell, since < QUIET_MS ? QUIET_MS : FIRST_MS, change.kind));
    },
    stop: (): void => {
      for (const timer of due.values()) clearTimeout(timer);
      due.clear();
    },
  };
}
