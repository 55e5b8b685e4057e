// Which events of the kernel ask for another reading of addresses, routes and links. A pod that comes or goes is told of
// in some twenty messages that are all our own doing, and readings grow with the number of pods; so of pods' links only
// what may take a route away counts. Of everything else, everything counts. Pure, but for what it remembers of the pods'
// links.
import { IF_PREFIX, type IfName } from '../lib/linux/if-name.ts';
import type { Link } from '../lib/linux/links.ts';
import type { RtChange, RtEvents } from '../lib/linux/route-monitor.ts';

export type KernelNews = {
  /** The node may have other addresses. */
  readonly addresses: boolean;
  /** A route of ours may be gone, or one that another route is found by may be new. */
  readonly routes: boolean;
  /** A link is there no more. */
  readonly linkGone: boolean;
};

const ALL: KernelNews = { addresses: true, routes: true, linkGone: true };
const RTPROT_KERNEL = 2; // include/uapi/linux/rtnetlink.h

/** `present`: the links that are there when it begins. `isEndpoint`: whether a pod should be behind the link now. */
export function createKernelNews(
  present: readonly Link[],
  isEndpoint: (ifName: IfName) => boolean,
): (events: RtEvents) => KernelNews {
  const podLinks = new Map(present.filter(isPodLink).map((link) => [link.index, stateOf(link)]));

  const linkCounts = (event: 'new' | 'deleted', link: Link): boolean => {
    if (!isPodLink(link)) return true;
    const before = podLinks.get(link.index);
    const now = before === undefined || before === 'new' ? (link.up ? 'up' : 'new') : stateOf(link);
    if (event === 'deleted') podLinks.delete(link.index);
    else podLinks.set(link.index, now);
    // The first time up is part of its making; the route comes after that.
    const changed = event === 'deleted' || (before !== undefined && before !== 'new' && before !== now);
    return changed && isEndpoint(link.name as IfName);
  };

  const newsOf = (change: RtChange): KernelNews => {
    switch (change.kind) {
      case 'link':
        return {
          addresses: false,
          routes: linkCounts(change.event, change.link),
          linkGone: change.event === 'deleted',
        };
      case 'address':
        return podLinks.has(change.address.index) ? NOTHING : { ...NOTHING, addresses: true, routes: true };
      case 'route': {
        const { protocol, oif } = change.route;
        const isOfPodLink = protocol === RTPROT_KERNEL && oif !== undefined && podLinks.has(oif);
        return { ...NOTHING, routes: !isOfPodLink };
      }
      default:
        return change satisfies never;
    }
  };

  return (events) => {
    if (events.kind === 'overrun') return ALL;
    // Each of them, since each may be remembered.
    const news = events.changes.map(newsOf);
    return {
      addresses: news.some((each) => each.addresses),
      routes: news.some((each) => each.routes),
      linkGone: news.some((each) => each.linkGone),
    };
  };
}

type PodLinkState = 'new' | 'up' | 'down';

const stateOf = ({ up }: Link): PodLinkState => (up ? 'up' : 'down');

const NOTHING: KernelNews = { addresses: false, routes: false, linkGone: false };

const isPodLink = ({ name, kind }: Link): boolean => name.startsWith(IF_PREFIX) && kind === 'veth';
