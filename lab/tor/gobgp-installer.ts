// Writes what the ToR's gobgpd learned into the ToR's kernel. It runs in the ToR's namespace beside gobgpd.
//   gobgp-installer.ts SOCKET

import { createGobgp } from '../../bgp/driver/gobgp.ts';
import { learnedRoutes } from '../../bgp/model/learned.ts';
import { parseCidr } from '../../lib/cidr.ts';
import { applyRoutes, dumpRoutes, type Route, type RouteOp, sameRoute } from '../../lib/linux/routes.ts';
import { openRtnl } from '../../lib/linux/rtnl.ts';
import { createLog } from '../../lib/log.ts';
import { unwrap } from '../../lib/result.ts';
import { POD_POOL } from '../spec.ts';

const PROTOCOL = 186; // RTPROT_BGP, include/uapi/linux/rtnetlink.h
const METRIC = 20;
const REFRESH_MS = 1000;
/** A restarted gobgpd has an empty table until its peers came back; nothing is removed for as long. */
const GRACE_MS = 60_000;

const [socketPath = ''] = process.argv.slice(2);
const log = createLog('tor-installer');
const rtnl = openRtnl();
const pools = [unwrap(parseCidr(POD_POOL))];
let upSince: number | undefined;
let isDue = false;

const gobgp = createGobgp({
  socketPath,
  log,
  onEvent: ({ kind }) => {
    if (kind === 'up') upSince = performance.now();
    if (kind === 'down') upSince = undefined;
    isDue = true;
    void install();
  },
});
setInterval(() => {
  isDue = true;
  void install();
}, REFRESH_MS);

let running: Promise<void> | undefined;

/** One at a time; what became due in the meantime is done after it. */
async function install(): Promise<void> {
  if (running !== undefined) return running;
  running = (async () => {
    while (isDue && upSince !== undefined) {
      isDue = false;
      await writeRoutes().catch((error: unknown) => log.warn({ error: String(error) }, 'routes not written'));
    }
  })();
  await running;
  running = undefined;
}

async function writeRoutes(): Promise<void> {
  const { routes } = learnedRoutes({ paths: await gobgp.rib(), pools, ownBlocks: [], nodeAddresses: [] });
  const actual = new Map(dumpRoutes(rtnl, { family: 4, protocol: PROTOCOL }).map((route) => [route.dst, route]));
  const ops: RouteOp[] = [];
  for (const [dst, { nextHops }] of routes) {
    const wanted: Route = {
      dst,
      type: 'unicast',
      protocol: PROTOCOL,
      metric: METRIC,
      nextHops: nextHops.map((gateway) => ({ gateway })),
    };
    const there = actual.get(dst);
    if (there === undefined || !sameRoute(wanted, there)) ops.push({ kind: 'replace', route: wanted });
  }
  const isSettled = upSince !== undefined && performance.now() - upSince > GRACE_MS;
  for (const [dst, { protocol, metric }] of actual) {
    if (isSettled && !routes.has(dst)) ops.push({ kind: 'delete', key: { dst, protocol, metric } });
  }
  for (const [index, error] of applyRoutes(rtnl, ops).entries()) {
    if (error !== undefined) log.warn({ op: ops[index], error: error.message }, 'route not written');
  }
}
