// The driver of a gobgpd that runs beside us and is ours entirely: desired state in, table, peers and events out. The
// connection heals itself; nothing about the speaker is kept in memory.
//
//   connecting ──GetBgp answers──► up ──event stream ends──► down ──backoff 50 ms … 1 s──► connecting
import { setTimeout as delay } from 'node:timers/promises';
import type { Log } from '../../lib/log.ts';
import type { BgpEvent, DesiredBgp, PeerState, RibPath } from '../model/types.ts';
import { type ApplyReport, applyBgp } from './apply.ts';
import { descriptionOf } from './note.ts';
import { createRpc, type Rpc } from './rpc.ts';
import { v3 as codec } from './v3/codec.ts';

export type GobgpOptions = {
  /** The unix socket of gobgpd's API; it need not exist yet. */
  readonly socketPath: string;
  readonly log: Log;
  /** Called one event after the other; must not throw. */
  readonly onEvent: (event: BgpEvent) => void;
};

export type Gobgp = {
  /** Makes gobgpd have the desired state; calls are served one after the other. @throws the signal's reason */
  readonly apply: (desired: DesiredBgp, signal: AbortSignal) => Promise<ApplyReport>;
  /**
   * Every path of the table, originated and learned, IPv4 and IPv6. Empty right after a restart of gobgpd: then it
   * means "not known yet", not "withdrawn". @throws BgpError, also when gobgpd is not started
   */
  readonly rib: (signal?: AbortSignal) => Promise<readonly RibPath[]>;
  /** Sorted as gobgpd lists them. @throws BgpError */
  readonly peers: (signal?: AbortSignal) => Promise<readonly PeerState[]>;
  readonly close: () => void;
};

/** Changes of the table within this time are one event. */
const QUIET_MS = 20;
const RETRY_MS = { first: 50, last: 1000 };

export function createGobgp({ socketPath, log, onEvent }: GobgpOptions): Gobgp {
  const rpc = createRpc(socketPath);
  const closing = new AbortController();
  void watchForever({ rpc, log, onEvent, signal: closing.signal });

  const readPaths = async (ownAsn: number, signal?: AbortSignal): Promise<readonly RibPath[]> => {
    const paths: RibPath[] = [];
    for (const family of [4, 6] as const) {
      for await (const some of rpc.stream(codec.listPath(ownAsn), family, { signal })) paths.push(...some);
    }
    return paths;
  };
  let last: Promise<unknown> = Promise.resolve();

  return {
    apply: (desired, signal) => {
      const next = last.then(() => applyBgp({ rpc, codec, readPaths }, desired, signal));
      last = next.catch(() => undefined); // Whoever called it hears of it; the next one only waits its turn.
      return next;
    },
    rib: async (signal) => readPaths((await rpc.unary(codec.getBgp, undefined, signal)).asn, signal),
    peers: async (signal) => {
      const peers: PeerState[] = [];
      for await (const { note, state } of rpc.stream(codec.listPeer(Date.now() / 1000), undefined, { signal })) {
        peers.push({ ...state, description: descriptionOf(note) });
      }
      return peers;
    },
    close: () => {
      closing.abort();
      rpc.close();
    },
  };
}

type Watch = {
  readonly rpc: Rpc;
  readonly log: Log;
  readonly onEvent: (event: BgpEvent) => void;
  readonly signal: AbortSignal;
};

async function watchForever({ rpc, log, onEvent, signal }: Watch): Promise<void> {
  let retryMs = RETRY_MS.first;
  while (!signal.aborted) {
    let up = false;
    const changed = coalesce(onEvent);
    const ended = new AbortController();
    try {
      // The stream is open before `up`, so that no change after it is missed.
      const events = rpc
        .stream(codec.watch, undefined, { signal: AbortSignal.any([signal, ended.signal]), length: 'endless' })
        [Symbol.asyncIterator]();
      const first = events.next();
      first.catch(() => undefined); // It is awaited below, after GetBgp has said why.
      await rpc.unary(codec.getBgp, undefined, signal);
      up = true;
      retryMs = RETRY_MS.first;
      log.info('gobgpd is up');
      onEvent({ kind: 'up' });
      for (let next = await first; !next.done; next = await events.next()) {
        if (next.value !== undefined) changed.add(next.value);
      }
      throw new Error('Cannot watch gobgpd: the event stream ended');
    } catch (error) {
      changed.stop();
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

function coalesce(onEvent: (event: BgpEvent) => void) {
  const due = new Map<'rib-changed' | 'peer-changed', NodeJS.Timeout>();
  return {
    add: (kind: 'rib-changed' | 'peer-changed'): void => {
      if (due.has(kind)) return;
      const timer = setTimeout(() => {
        due.delete(kind);
        onEvent({ kind });
      }, QUIET_MS);
      due.set(kind, timer);
    },
    stop: (): void => {
      for (const timer of due.values()) clearTimeout(timer);
      due.clear();
    },
  };
}
