// Events of links, addresses and routes, so that the agent sees foreign changes at once. Own changes can be told by the
// port of the socket that made them. The kernel announces no IPv4 route that goes away with its link: a link event means
// that routes must be read again.
import { RawNetlinkSocket } from 'netlink';
import { decodeAddress, type LinkAddress, RTM_DELADDR, RTM_NEWADDR } from './addresses.ts';
import { decodeLink, type Link, RTM_DELLINK, RTM_NEWLINK } from './links.ts';
import { decodeMessages, type NetlinkMessage } from './netlink-message.ts';
import { NETLINK } from './netlink-socket.ts';
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
  /** Called once per burst: at most every `quietMs` (default 5) milliseconds. */
  readonly onEvents: (events: RtEvents) => void;
  /** The reader failed for good; no more events come. */
  readonly onError: (error: Error) => void;
  /** `portId` of the sockets whose changes are not to be reported. */
  readonly ownPorts?: () => ReadonlySet<number>;
  readonly quietMs?: number;
  readonly signal: AbortSignal;
};

/** RTNLGRP_LINK, IPV4_IFADDR, IPV4_ROUTE, IPV6_IFADDR, IPV6_ROUTE (include/uapi/linux/rtnetlink.h). */
const GROUPS = [1, 5, 7, 9, 11] as const;
const MAX_CHANGES = 10_000;
const RECEIVE_BYTES = 4 << 20;

/** Listens in the current network namespace until `signal`. @throws Error when the socket cannot be opened */
export function monitorRoutes({ onEvents, onError, ownPorts, quietMs = 5, signal }: RouteMonitorOptions): void {
  if (signal.aborted) return;
  let changes: RtChange[] = [];
  let overrun = false;
  let timer: NodeJS.Timeout | undefined;
  const socket = new RawNetlinkSocket(NETLINK.route, { recvBufferSize: RECEIVE_BYTES, sendBufferSize: 0 });

  const flush = (): void => {
    timer = undefined;
    const events: RtEvents = overrun ? { kind: 'overrun' } : { kind: 'changes', changes };
    changes = [];
    overrun = false;
    onEvents(events);
  };
  const touch = (): void => {
    timer ??= setTimeout(flush, quietMs);
  };
  const lost = (): void => {
    overrun = true;
    changes = [];
    touch();
  };

  socket.on('message', (bytes) => {
    for (const message of decodeMessages(bytes)) {
      if (ownPorts?.().has(message.port) === true) continue;
      const change = changeOf(message);
      if (change === undefined || overrun) continue;
      if (changes.length >= MAX_CHANGES) lost();
      else {
        changes.push(change);
        touch();
      }
    }
  });
  socket.on('truncatedMessage', lost);
  socket.on('error', (error) => {
    if (error.code === 'ENOBUFS') lost();
    else onError(error);
  });
  signal.addEventListener(
    'abort',
    () => {
      clearTimeout(timer);
      socket.close();
    },
    { once: true },
  );
  for (const group of GROUPS) socket.addMembership(group);
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
