// Keeps gobgpd and the model in step: what the model wants goes to gobgpd, what gobgpd knows goes to the model. Events
// only say what to read again, so work is a set of dirty flags and one worker.
import type { AdjacentDirection } from '../bgp/driver/codec.ts';
import { createDirtyRib } from '../bgp/driver/dirty-rib.ts';
import { createGobgp } from '../bgp/driver/gobgp.ts';
import type { BgpEvent, DesiredBgp, PeerState, RibPath } from '../bgp/model/types.ts';
import type { Ip } from '../lib/ip.ts';
import type { Log } from '../lib/log.ts';
import type { RoutingEvent } from './model/events.ts';

/** After this time without all peers being back, routes of an earlier life go (RFC 4724 selection deferral), in ms. */
const STALE_MS = 120_000;
/** How often peers are asked while BGP has not settled, and when an apply was not complete, in ms. */
const POLL_MS = 1000;
const RETRY_MS = 5000;
/** How often the whole table is read although no event said so, in ms. */
const FULL_READ_MS = 300_000;
/** gobgpd is not restarted twice within this time, in ms. */
const RESTART_AGAIN_MS = 30_000;

export type BgpRunner = {
  /** The model may want something new of gobgpd. */
  readonly poke: () => void;
  /** What gobgpd refused, as sentences. */
  readonly problems: () => readonly string[];
  /** What gobgpd says now. None while it is not there. @throws BgpError */
  readonly peers: () => Promise<readonly PeerState[]>;
  /** What a peer sent or is told. Empty while gobgpd is not there. @throws BgpError, also when there is no such peer */
  readonly adjacent: (peer: Ip, direction: AdjacentDirection) => Promise<readonly RibPath[]>;
  readonly close: () => void;
};

export function createBgpRunner(options: {
  readonly socketPath: string;
  readonly log: Log;
  readonly dispatch: (event: RoutingEvent) => void;
  /** News for gobgpd, once. */
  readonly takeDesired: () => DesiredBgp | undefined;
  readonly settled: () => boolean;
  /** Makes gobgpd start anew; returns why it could not. */
  readonly restart: () => string | undefined;
}): BgpRunner {
  const { socketPath, log, dispatch, takeDesired, settled, restart } = options;
  const closing = new AbortController();
  const timers = new Set<NodeJS.Timeout>();
  const rib = createDirtyRib();
  let peersDirty = false;
  // The peers that have told all they know, as last read.
  let complete: ReadonlySet<Ip> = new Set();
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

  // Not again and again: somebody else may be configuring it.
  let restartedAt = Number.NEGATIVE_INFINITY;
  const restartSpeaker = (): void => {
    if (performance.now() - restartedAt < RESTART_AGAIN_MS) return;
    restartedAt = performance.now();
    const why = restart();
    if (why === undefined) log.warn({ problems }, 'restarting gobgpd');
    else problems = [...problems, why];
  };

  const apply = async (desired: DesiredBgp): Promise<void> => {
    try {
      const report = await gobgp.apply(desired, closing.signal);
      const { outcome, paths, peers, started } = report;
      problems = report.problems;
      log.info({ outcome, problems, paths, peers, started }, 'bgp applied');
      running ||= outcome === 'applied' || outcome === 'incomplete';
      peersDirty = true;
      if (outcome === 'restart-needed') restartSpeaker();
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
    const readPeers = peersDirty;
    peersDirty = false;
    // End-of-RIB only says something of a table that was read after it: so peers first, and the table told before them.
    const peers = readPeers ? await gobgp.peers(closing.signal) : undefined;
    if (peers !== undefined) {
      const before = complete;
      complete = completePeers(peers);
      if ([...complete].some((address) => !before.has(address))) rib.add(undefined);
    }
    const read = await rib.read(gobgp, closing.signal);
    if (read?.kind === 'all') dispatch({ kind: 'rib', paths: read.paths });
    if (read?.kind === 'part') dispatch({ kind: 'rib-part', prefixes: read.prefixes });
    if (peers !== undefined) dispatch({ kind: 'peers', peers });
  };

  const work = (): void => {
    if (working || !up) return;
    working = true;
    void (async () => {
      try {
        while (up && (wanted !== undefined || (running && (rib.isDirty() || peersDirty)))) await step();
      } catch (error) {
        // gobgpd went away in the middle; the event `up` starts over with everything.
        if (!closing.signal.aborted) log.warn({ err: error }, 'gobgpd call failed');
        // A call that was refused or too slow, with gobgpd still there: what it was to read is read again.
        peersDirty = true;
        rib.add(undefined);
        if (!closing.signal.aborted) later(RETRY_MS, work);
      } finally {
        working = false;
      }
    })();
  };

  const poll = (): void => {
    if (!settled()) {
      peersDirty = true;
      work();
    }
    pollTimer = later(POLL_MS, poll);
  };

  const readAll = (): void => {
    rib.add(undefined);
    work();
    later(FULL_READ_MS, readAll);
  };
  later(FULL_READ_MS, readAll);

  const poke = (): void => {
    wanted = takeDesired() ?? wanted;
    work();
  };

  const onEvent = (event: BgpEvent): void => {
    switch (event.kind) {
      case 'up':
        up = true;
        complete = new Set();
        rib.add(undefined);
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
        rib.add(event.prefixes);
        work();
        break;
      case 'peer-changed':
        peersDirty = true;
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
    peers: async () => (running ? gobgp.peers(closing.signal) : []),
    adjacent: async (peer, direction) => (running ? gobgp.listAdjacent(peer, direction, closing.signal) : []),
    close: () => {
      closing.abort();
      for (const timer of timers) clearTimeout(timer);
      gobgp.close();
    },
  };
}

const completePeers = (peers: readonly PeerState[]): ReadonlySet<Ip> =>
  new Set(peers.filter(({ state, endOfRib }) => state === 'established' && endOfRib).map(({ address }) => address));
