// Sends first packets of connections from many namespaces at once and tells which of them arrived. Nothing waits for
// silence: after the frames of a round one more is sent that the node lets pass without looking, by the same processor
// and so through the same queues; once that one is there, what has not arrived has been dropped.
import type { TestContext } from 'node:test';
import { inNetns } from '../../../lib/linux/netns.ts';
import { waitFor } from '../../../lib/wait-for.ts';
import { type ConntrackFlush, openConntrackFlush } from './conntrack-flush.ts';
import { encodeFrame, type Frame, frameId } from './frame.ts';
import { onOneCpu } from './on-one-cpu.ts';
import { type Outside, SENTINEL } from './outside.ts';
import { openPacketSocket, type PacketSocket } from './packet-socket.ts';

/** A namespace with `eth0`, whose frames go to the hardware address `gatewayMac`. */
export type ProbeEnd = { readonly name: string; readonly netnsPath: string; readonly gatewayMac: string };

/** `from` and `to` are names of ends. */
export type Shot = Pick<Frame, 'saddr' | 'daddr' | 'protocol' | 'dport'> & {
  readonly from: string;
  readonly to: string;
};

export type Prober = {
  /**
   * Which of the shots arrived where they should, in their order. Every call has connections of its own.
   * @throws Error when a frame of ours arrives elsewhere or late, when frames were lost on the way into this process, or
   * when the node does not forward at all
   */
  readonly probe: (shots: readonly Shot[]) => Promise<readonly boolean[]>;
  /** Frames sent so far, the marks of rounds not counted. */
  readonly sent: () => number;
};

/** Fits into all queues on the way (net.core.netdev_max_backlog is 1000). */
const ROUND = 400;
/** Rounds, each with ports of its own. */
const FIRST_PORT = 20_000;
const PORTS = 40_000;
const MARK_TIMEOUT_MS = 20_000;

/**
 * Sockets in the namespaces of `ends` and outside, closed after `t`. `node` is the path of the node's namespace;
 * `timeoutMs` is for one round.
 * @throws KernelError
 */
export function createProber(
  t: TestContext,
  options: {
    readonly node: string;
    readonly outside: Outside;
    readonly ends: readonly ProbeEnd[];
    readonly timeoutMs?: number;
  },
): Prober {
  const { node, outside, ends, timeoutMs = MARK_TIMEOUT_MS } = options;
  const sockets = new Map([...ends, outside].map((end) => [end.name, openEnd(end)] as const));
  const flush: ConntrackFlush = inNetns(node, openConntrackFlush);
  t.after(() => {
    flush.close();
    for (const { socket } of sockets.values()) socket.close();
  });
  const endOf = (name: string): OpenEnd => {
    const end = sockets.get(name);
    if (end === undefined) throw new Error(`Cannot probe "${name}": there is no such end`);
    return end;
  };
  let lastId = 0;
  let round = 0;
  let sent = 0;
  let unread = false;

  const send = (shot: Shot): number => {
    const { from, saddr, daddr, protocol, dport } = shot;
    const { socket, gatewayMac } = endOf(from);
    const id = ++lastId;
    const frame: Frame = {
      id,
      destinationMac: gatewayMac,
      sourceMac: socket.mac,
      saddr,
      daddr,
      protocol,
      sport: FIRST_PORT + (round % PORTS),
      dport,
    };
    socket.send(encodeFrame(frame));
    return id;
  };

  const probeRound = async (shots: readonly Shot[]): Promise<readonly boolean[]> => {
    round++;
    // What a round that failed left behind.
    if (unread) for (const { socket } of sockets.values()) while (socket.receive() !== undefined);
    unread = true;
    flush.flush();
    const pending = new Map<number, Shot>();
    const mark = onOneCpu(() => {
      for (const shot of shots) pending.set(send(shot), shot);
      return send({ ...SENTINEL, from: outside.name, to: outside.name });
    });
    sent += shots.length;
    const arrived = new Set<Shot>();
    let marked = false;
    const drain = (): boolean => {
      for (const [name, { socket }] of sockets) {
        for (let bytes = socket.receive(); bytes !== undefined; bytes = socket.receive()) {
          const id = frameId(bytes);
          if (id === mark) marked = true;
          else if (id !== undefined) arrived.add(arrivalOf(pending.get(id), name));
        }
      }
      return marked;
    };
    await waitFor('the mark of a round of frames', drain, { timeoutMs, everyMs: 1 });
    // The mark may have been read before what had come to a socket that stands earlier in the list.
    drain();
    const lost = [...sockets].filter(([, { socket }]) => socket.dropped() > 0).map(([name]) => name);
    if (lost.length > 0) throw new Error(`Cannot probe: frames to ${lost.join(', ')} were lost before they were read`);
    unread = false;
    return shots.map((shot) => arrived.has(shot));
  };

  return {
    probe: async (shots) => {
      const results: boolean[] = [];
      for (let at = 0; at < shots.length; at += ROUND) {
        results.push(...(await probeRound(shots.slice(at, at + ROUND))));
      }
      return results;
    },
    sent: () => sent,
  };
}

type OpenEnd = { readonly socket: PacketSocket; readonly gatewayMac: Buffer };

const openEnd = ({ netnsPath, gatewayMac }: ProbeEnd): OpenEnd => ({
  socket: inNetns(netnsPath, () => openPacketSocket('eth0')),
  gatewayMac: Buffer.from(gatewayMac.replaceAll(':', ''), 'hex'),
});

function arrivalOf(shot: Shot | undefined, at: string): Shot {
  if (shot === undefined) throw new Error(`Cannot probe: a frame of an earlier round came to ${at}`);
  if (shot.to !== at) throw new Error(`Cannot probe: a frame to ${shot.to} (${shot.daddr}) came to ${at}`);
  return shot;
}
