// A gobgpd that was killed gets back thousands of own paths, and its router hears of them again.
import { desiredBgp } from '../../../bgp/model/desired.ts';
import { inNetns } from '../../../lib/linux/netns.ts';
import { dumpRoutes } from '../../../lib/linux/routes.ts';
import { openRtnl } from '../../../lib/linux/rtnl.ts';
import { waitFor } from '../../../lib/wait-for.ts';
import { bgpSegment, startSpeaker } from '../../support/bgp-segment.ts';
import { NEVER, nodeObject, peerObject } from '../../support/bgp-world.ts';
import { watchArrivals } from '../../support/route-arrivals.ts';
import { startFrr } from '../../support/tor-router.ts';
import { resultOf } from '../results.ts';
import type { Bench } from '../types.ts';
import { manyPrefixes, nodeAddress } from './plan.ts';

const NODE = nodeAddress(1);
const TOR = nodeAddress(254);
const PATIENCE = { timeoutMs: 120_000, everyMs: 20 };

export const restart: Bench = {
  name: 'restart',
  run: async ({ scope, scale }) => {
    const [routes, rounds] = scale === 'full' ? [5000, 5] : [200, 1];
    const routers = await bgpSegment(scope, { node: NODE, tor: TOR });
    // FRR keeps the routes in its kernel while gobgpd is away, and dials every two seconds. When gobgpd is back without the
    // restart flag, it takes them for gone and new ones: a few are not touched in the kernel, of thousands some are.
    await startFrr(routers.tor, { asn: 64600, nodeAsn: 64512, nodes: [NODE] });
    const node = startSpeaker(scope, routers.node, undefined, 'error');
    await node.seen('up');
    const { desired } = desiredBgp({
      node: 'node',
      nodes: [nodeObject('node', NODE)],
      peers: [peerObject('tor', { peerIP: TOR, asNumber: 64600 })],
      blocks: manyPrefixes(routes),
      pools: [],
    });
    if (desired === undefined) throw new Error('Cannot go on: the node has no BGP');
    const apply = async (): Promise<void> => {
      const { problems } = await node.gobgp.apply(desired, NEVER);
      if (problems.length > 0) throw new Error(problems.join());
    };
    const rtnl = inNetns(routers.tor.netns.path, openRtnl);
    scope.after(rtnl.close);
    const atRouter = (): number => dumpRoutes(rtnl, { family: 4, protocol: RTPROT_BGP }).length;
    const advertised = async (): Promise<boolean> =>
      (await node.gobgp.peers()).every((peer) => peer.state === 'established' && peer.advertised === routes);
    await apply();
    await waitFor('the routes at the router', async () => (await advertised()) && atRouter() === routes, PATIENCE);
    const watched = watchArrivals(scope, routers.tor.netns);
    const times = { driven: [] as number[], told: [] as number[], lost: [] as number[] };
    for (let round = 0; round < rounds; round++) {
      watched.takeDeleted();
      await node.crash();
      await node.seen('down', round + 1);
      node.restart();
      await node.seen('up', round + 2);
      const began = performance.now();
      await apply();
      times.driven.push(performance.now() - began);
      await waitFor('the router to be told', async () => (await advertised()) && atRouter() === routes, PATIENCE);
      times.told.push((performance.now() - began) / 1000);
      times.lost.push(watched.takeDeleted());
    }
    const what = `gobgpd killed, ${routes} own paths`;
    return [
      resultOf({ name: `${what}: driven again`, unit: 'ms', ours: times.driven }),
      resultOf({ name: `${what}: all told to the router again`, unit: 's', ours: times.told }),
      resultOf({
        name: `${what}: deleted in the router's kernel`,
        unit: 'routes',
        ours: times.lost,
      }),
    ];
  },
};

/** include/uapi/linux/rtnetlink.h */
const RTPROT_BGP = 186;
