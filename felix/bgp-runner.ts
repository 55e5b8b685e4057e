// Keeps gobgpd and the model in step: what the model wants goes to gobgpd, what gobgpd knows goes to the model. Events
// only say what to read again, so work is a set of dirty flags and one worker.
import { createGobgp } from '../bgp/driver/gobgp.ts';
import type { BgpEvent, DesiredBgp } from '../bgp/model/types.ts';
import type { Log } from '../lib/log.ts';
import type { RoutingEvent } from './model/events.ts';

/** After this time without all peers being back, routes of an earlier life go (RFC 4724 selection deferral), in ms. */
const STALE_MS = 120_000;
/** How often peers are asked while BGP has not settled, and when an apply was not complete, in ms. */
const POLL_MS = 1000;
const RETRY_MS = 5000;

export type BgpRunner = {
  /** The model may want something new of gobgpd. */
  readonly poke: () => void;
  /** What gobgpd refused, as sentences. */
  readonly problems: () => readonly string[];
  readonly close: () => void;
};

export function createBgpRunner(options: {
  readonly socketPath: string;
  readonly log: Log;
  readonly dispatch: (event: RoutingEvent) => void;
  /** News for gobgpd, once. */
  readonly takeDesired: () => DesiredBgp | undefined;
  readonly settled: () => boolean;
}): BgpRunner {
  const { socketPath, log, dispatch, takeDesired, settled } = options;
  const closing = new AbortController();
  const timers = new Set<NodeJS.Timeout>();
  const dirty = { rib: false, peers: false };
  let wanted: DesiredBgp | undefined;
  let problems: readonly string[] = [];
  let working = false;
  let up = false;
  // Whether gobgpd has been configured since it came up; before that it has no table to read.
  let running = false;
  let staleTimer: NodeJS.Timeout | undefined;
  let pollTimer: NodeJS.Timeout | undefined;

  const later = (ms: number, action: () => void): NodeJS.Timeout => {
    const timer = setTimeout(() => {
      timers.delete(timer);
      action();
    }, ms);
    timers.add(timer);
    return timer;
  };
  const cancel = (timer: NodeJS.Timeout | undefined): void => {
    if (timer === undefined) return;
    clearTimeout(timer);
    timers.delete(timer);
  };

  const tryLater = (desired: DesiredBgp): void => {
    later(RETRY_MS, () => {
      wanted ??= desired;
      work();
    });
  };

  const apply = async (desired: DesiredBgp): Promise<void> => {
    try {
      const report = await gobgp.apply(desired, closing.signal);
      const { outcome, paths, peers, started } = report;
      problems = report.problems;
      log.info({ outcome, problems, paths, peers, started }, 'bgp applied');
      running ||= outcome === 'applied' || outcome === 'incomplete';
      dirty.peers = true;
      if (outcome === 'incomplete' || outcome === 'restart-needed') tryLater(desired);
    } catch (error) {
      tryLater(desired);
      throw error;
    }
  };

  const step = async (): Promise<void> => {
    const desired = wanted;
    wanted = undefined;
    if (desired !== undefined) await apply(desired);
    if (!running) return;
    const readPeers = dirty.peers;
    dirty.peers = false;
    dirty.rib = false;
    // End-of-RIB only says something of a table that was read after it: so peers first, and the table told before them.
    const peers = readPeers ? await gobgp.peers(closing.signal) : undefined;
    dispatch({ kind: 'rib', paths: await gobgp.rib(closing.signal) });
    if (peers !== undefined) dispatch({ kind: 'peers', peers });
  };

  const work = (): void => {
    if (working || !up) return;
    working = true;
    void (async () => {
      try {
        while (up && (wanted !== undefined || (running && (dirty.rib || dirty.peers)))) await step();
      } catch (error) {
        // gobgpd went away in the middle; the event `up` starts over with everything.
        if (!closing.signal.aborted) log.warn({ err: error }, 'gobgpd call failed');
      } finally {
        working = false;
      }
    })();
  };

  const poll = (): void => {
    if (!settled()) {
      dirty.peers = true;
      work();
    }
    pollTimer = later(POLL_MS, poll);
  };

  const poke = (): void => {
    wanted = takeDesired() ?? wanted;
    work();
  };

  const onEvent = (event: BgpEvent): void => {
    switch (event.kind) {
      case 'up':
        up = true;
        dispatch({ kind: 'bgp-up' });
        staleTimer = later(STALE_MS, () => dispatch({ kind: 'stale-timeout' }));
        poke();
        pollTimer = later(POLL_MS, poll);
        break;
      case 'down':
        up = false;
        running = false;
        cancel(staleTimer);
        cancel(pollTimer);
        dispatch({ kind: 'bgp-down', why: event.why });
        break;
      case 'rib-changed':
        dirty.rib = true;
        work();
        break;
      case 'peer-changed':
        dirty.peers = true;
        work();
        break;
      default:
        event satisfies never;
    }
  };
  const gobgp = createGobgp({ socketPath, log, onEvent });

  return {
    poke,
    problems: () => problems,
    close: () => {
      closing.abort();
      for (const timer of timers) clearTimeout(timer);
      gobgp.close();
    },
  };
}
