// Somebody else's changes of what is ours are seen by events, and by a whole reading from time to time.
import { listLinks } from '../lib/linux/links.ts';
import { monitorRoutes, type RtEvents } from '../lib/linux/route-monitor.ts';
import type { Rtnl } from '../lib/linux/rtnl.ts';
import type { Log } from '../lib/log.ts';
import { watchNftables } from '../lib/nftables/events.ts';
import type { NatDriver } from './driver/nat.ts';
import type { Effects } from './effects.ts';
import { createKernelNews } from './kernel-news.ts';
import type { Model } from './model/model.ts';
import { NAT_TABLE } from './render/nat.ts';
import { POLICY_TABLE } from './render/policy/names.ts';

/** Time between two whole readings of the kernel, in milliseconds, besides those that events ask for. */
const FULL_VERIFY_MS = { least: 60_000, most: 90_000 } as const;

/** Until `signal` aborts. */
export function watchKernel(options: {
  readonly rtnl: Rtnl;
  /** Of the socket whose changes are ours. */
  readonly nftPort: number;
  readonly model: Model;
  readonly effects: Effects;
  readonly nat: NatDriver;
  /** The node may have other addresses. */
  readonly onAddresses: () => void;
  /** A link is gone, or may be. */
  readonly onLinkGone: () => void;
  readonly log: Log;
  readonly signal: AbortSignal;
}): void {
  const { rtnl, nftPort, model, effects, nat, onAddresses, onLinkGone, log, signal } = options;
  const newsOf = createKernelNews(listLinks(rtnl), (name) => model.endpoints().some(({ ifName }) => ifName === name));
  const onEvents = (events: RtEvents): void => {
    const news = newsOf(events);
    if (news.addresses) onAddresses();
    if (news.linkGone) onLinkGone();
    if (news.routes) effects.verifySoon('routes');
  };
  const onError = (error: Error): void => log.error({ err: error }, 'kernel route events lost');
  monitorRoutes({ onEvents, onError, ownPorts: () => new Set([rtnl.portId]), signal });
  watchNftables({
    table: POLICY_TABLE.name,
    portId: nftPort,
    onChange: ({ touched }) => effects.verifySoon('nftables', touched),
    signal,
  });
  watchNftables({ table: NAT_TABLE.name, portId: nftPort, onChange: nat.verifySoon, signal });
  let timer: NodeJS.Timeout | undefined;
  const verifyAgain = (): void => {
    // Never all nodes of a rack at the same moment.
    const ms = FULL_VERIFY_MS.least + Math.random() * (FULL_VERIFY_MS.most - FULL_VERIFY_MS.least);
    timer = setTimeout(() => {
      effects.verifySoon('routes');
      effects.verifySoon('nftables');
      nat.verifySoon();
      onLinkGone();
      verifyAgain();
    }, ms);
  };
  verifyAgain();
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
}
