// Events of links, addresses and routes, so that the agent sees foreign changes at once. Own changes can be told by the
// port of the socket that made them. The kernel announces no IPv4 route that goes away with its link: a link event means
// that routes must be read again. The queue is read by a timer and not by the loop's poller: a poller takes the loss of
// messages (ENOBUFS) for a broken descriptor, while here it is news.
import { decodeAddress, type LinkAddress, RTM_DELADDR, RTM_NEWADDR } from './addresses.ts';
import { KernelError } from './kernel-error.ts';
import { decodeLink, RTM_DELLINK, RTM_NEWLINK } from './link-codec.ts';
import type { Link } from './links.ts';
import { decodeMessages, type NetlinkMessage } from './netlink-message.ts';
import { NETLINK, type NetlinkSocket, openNetlinkSocket } from './netlink-socket.ts';
import { decodeRoute, RTM_DELROUTE, RTM_NEWROUTE } from './route-codec.ts';
import type { Route } from './routes.ts';

export type RtChange =
  | { readonly kind: 'link'; readonly event: 'new' | 'deleted'; readonly link: Link }
  | { readonly kind: 'address'; readonly event: 'new' | 'deleted'; readonly address: LinkAddress }
  | { readonly kind: 'route'; readonly event: 'new' | 'deleted'; readonly route: Route };

/** `overrun`: some events were lost, everything must be read again. */
export type RtEvents =
  | { readonly kind: 'changes'; readonly changes: readonly RtChange[] }
  | { readonly kind: 'overrun' };

export type RouteMonitorOptions = {
  /** Called at most once per turn of the timer, when there is something to say. */
  readonly onEvents: (events: RtEvents) => void;
  /** The socket failed for good; no more events come. */
  readonly onError: (error: Error) => void;
  /** `portId` of the sockets whose changes are not to be reported. */
  readonly ownPorts?: () => ReadonlySet<number>;
  /** How late an event may be, in milliseconds (25). */
  readonly everyMs?: number;
  /** How much the kernel may queue between two turns. */
  readonly receiveBytes?: number;
  readonly signal: AbortSignal;
};

/** RTNLGRP_LINK, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE (include/uapi/linux/rtnetlink.h). */
const GROUPS = [1, 5, 7, 9, 11] as const;
const MAX_CHANGES = 10_000;
const RECEIVE_BYTES = 16 << 20;
const ENOBUFS = 105;

/**
 * Listens in the network namespace of the call until `signal`; the subscription stands when it returns. The timer does
 * not keep the process alive.
 * @throws KernelError when the socket cannot be opened
 */
export function monitorRoutes(options: RouteMonitorOptions): void {
  const { onEvents, onError, ownPorts = () => new Set(), everyMs = 25, signal } = options;
  if (signal.aborted) return;
  const socket = openNetlinkSocket(NETLINK.route, { receiveBytes: options.receiveBytes ?? RECEIVE_BYTES });
  for (const group of GROUPS) socket.join(group);
  const turn = (): void => {
    let events: RtEvents | undefined;
    try {
      events = readTurn(socket, ownPorts());
    } catch (error) {
      clearInterval(timer);
      onError(error instanceof Error ? error : new Error(String(error)));
      return;
    }
    if (events !== undefined) onEvents(events);
  };
  const timer = setInterval(turn, everyMs).unref();
  const stop = (): void => {
    clearInterval(timer);
    socket.close();
  };
  signal.addEventListener('abort', stop, { once: true });
}

// Everything that is queued. Past the limit only the fact counts, and the rest is read away.
function readTurn(socket: NetlinkSocket, ownPorts: ReadonlySet<number>): RtEvents | undefined {
  const changes: RtChange[] = [];
  let overrun = false;
  for (;;) {
    try {
      const datagram = socket.receive('poll');
      if (datagram === undefined) break;
      for (const message of decodeMessages(datagram)) {
        const change = ownPorts.has(message.port) ? undefined : changeOf(message);
        if (change === undefined) continue;
        if (changes.length < MAX_CHANGES) changes.push(change);
        else overrun = true;
      }
    } catch (error) {
      if (!(error instanceof KernelError && error.errno === ENOBUFS)) throw error;
      overrun = true;
    }
  }
  if (overrun) return { kind: 'overrun' };
  return changes.length === 0 ? undefined : { kind: 'changes', changes };
}

function changeOf(message: NetlinkMessage): RtChange | undefined {
  switch (message.type) {
    case RTM_NEWLINK:
    case RTM_DELLINK: {
      const link = decodeLink(message);
      return link && { kind: 'link', event: message.type === RTM_NEWLINK ? 'new' : 'deleted', link };
    }
    case RTM_NEWADDR:
    case RTM_DELADDR: {
      const address = decodeAddress(message);
      return address && { kind: 'address', event: message.type === RTM_NEWADDR ? 'new' : 'deleted', address };
    }
    case RTM_NEWROUTE:
    case RTM_DELROUTE: {
      const route = decodeRoute(message);
      return route && { kind: 'route', event: message.type === RTM_NEWROUTE ? 'new' : 'deleted', route };
    }
    default:
      return undefined;
  }
}
