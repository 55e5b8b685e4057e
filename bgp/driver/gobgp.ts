// The driver of a gobgpd that runs beside us and is ours entirely: desired state in, table, peers and events out. The
// connection heals itself; nothing about the speaker is believed from memory but its generation, which is asked for anew
// after each loss.
import { readFileSync } from 'node:fs';
import { networkInterfaces } from 'node:os';
import type { Cidr } from '../../lib/cidr.ts';
import type { Ip } from '../../lib/ip.ts';
import type { Log } from '../../lib/log.ts';
import type { BgpEvent, DesiredBgp, PeerState, RibPath } from '../model/types.ts';
import { type ApplyReport, applyBgp } from './apply.ts';
import type { PathMemory } from './apply-paths.ts';
import type { PolicyMemory } from './apply-policies.ts';
import type { AdjacentDirection, Codec } from './codec.ts';
import { descriptionOf } from './note.ts';
import { type Connection, readPaths } from './read-paths.ts';
import { createRpc } from './rpc.ts';
import { watchForever } from './watch.ts';
import { whichGeneration } from './which-generation.ts';

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
  /** Those of exactly these prefixes; a prefix without paths is in the table no more. @throws as `rib` */
  readonly ribOf: (prefixes: Iterable<Cidr>, signal?: AbortSignal) => Promise<readonly RibPath[]>;
  /**
   * What a peer has sent, before the import policy (`adj-in`), or is to be sent, after the export policy (`adj-out`,
   * also while there is no session). @throws BgpError, also when there is no such peer
   */
  readonly listAdjacent: (peer: Ip, direction: AdjacentDirection, signal?: AbortSignal) => Promise<readonly RibPath[]>;
  /** Sorted as gobgpd lists them. @throws BgpError */
  readonly peers: (signal?: AbortSignal) => Promise<readonly PeerState[]>;
  /** Which API it speaks. @throws BgpError */
  readonly generation: (signal?: AbortSignal) => Promise<Codec['generation']>;
  readonly close: () => void;
};

export function createGobgp({ socketPath, log, onEvent }: GobgpOptions): Gobgp {
  const rpc = createRpc(socketPath);
  const closing = new AbortController();
  let known: Codec | undefined;
  const onGeneration = (codec: Codec | undefined): void => {
    known = codec;
  };
  void watchForever({ rpc, log, onEvent, signal: closing.signal, onGeneration });

  const speak = async (signal?: AbortSignal): Promise<Connection> => ({
    rpc,
    codec: known ?? (await whichGeneration(rpc, signal)),
  });
  const read = async (options: Omit<Parameters<typeof readPaths>[1], 'ownAsn'>): Promise<readonly RibPath[]> => {
    const speaker = await speak(options.signal);
    const { asn: ownAsn } = await rpc.unary(speaker.codec.getBgp, undefined, options.signal);
    return readPaths(speaker, { ...options, ownAsn });
  };
  // Hints that spare time: what gobgpd really has is listed and compared each time.
  const memory: PolicyMemory = new Map();
  const pathMemory: PathMemory = { last: undefined };
  let last: Promise<unknown> = Promise.resolve();

  return {
    apply: (desired, signal) => {
      const local = localAddresses();
      const isLocal = (address: Ip): boolean => local.has(address);
      const context = { speak, memory, pathMemory, optionMemoryBytes: optionMemory(), isLocal };
      const next = last.then(() => applyBgp(context, desired, signal));
      last = next.catch(() => undefined); // Whoever called it hears of it; the next one only waits its turn.
      return next;
    },
    rib: (signal) => read({ signal }),
    ribOf: (prefixes, signal) => read({ prefixes, signal }),
    listAdjacent: (peer, direction, signal) => read({ adjacent: { peer, direction }, signal }),
    peers: async (signal) => {
      const { codec } = await speak(signal);
      const peers: PeerState[] = [];
      for await (const { note, state } of rpc.stream(codec.listPeer(Date.now() / 1000), undefined, { signal })) {
        peers.push({ ...state, description: descriptionOf(note) });
      }
      return peers;
    },
    generation: async (signal) => (await speak(signal)).codec.generation,
    close: () => {
      closing.abort();
      rpc.close();
    },
  };
}

/** Of the network namespace that we are in, as of `optionMemory`. */
const localAddresses = (): ReadonlySet<string> =>
  new Set(Object.values(networkInterfaces()).flatMap((all) => all?.map(({ address }) => address) ?? []));

/** Of the network namespace that we are in; gobgpd runs beside us. `undefined` where the kernel does not tell. */
function optionMemory(): number | undefined {
  try {
    return Number(readFileSync('/proc/sys/net/core/optmem_max', 'utf8'));
  } catch {
    return undefined; // A namespace may not show it; then there is nothing to warn of.
  }
}
