// The documents about routes: gobgpd's table beside the kernel's, and what peers are told.
import { bestPaths, SELECTION_STEPS } from '../../bgp/model/best-paths.ts';
import type { RejectedRoute } from '../../bgp/model/learned.ts';
import type { RibPath } from '../../bgp/model/types.ts';
import type { BgpAdvertisedView, BgpRoutesView, BgpRouteView } from '../../bgp/view.ts';
import type { Cidr } from '../../lib/cidr.ts';
import type { Ip } from '../../lib/ip.ts';
import { listLinks } from '../../lib/linux/links.ts';
import { dumpRoutes, type Route } from '../../lib/linux/routes.ts';
import { type DesiredRoute, ROUTE_METRIC, ROUTE_PROTOCOL } from '../model/route.ts';
import { type BgpParts, knownPrefixes, pathView, peerNames, readPeers } from './parts.ts';

/** @throws KernelError */
export function bgpRoutesView(parts: BgpParts): BgpRoutesView {
  const { node, model, rtnl } = parts;
  const kernel = new Map(
    dumpRoutes(rtnl, { protocol: ROUTE_PROTOCOL })
      .filter(({ metric }) => metric === ROUTE_METRIC)
      .map((route) => [route.dst, route]),
  );
  const names = peerNames(parts);
  const refused = Map.groupBy(model.routing.learned().rejected, ({ prefix }) => prefix);
  const rib = [...knownPrefixes(parts)]
    .sort()
    .flatMap((prefix) =>
      ribRows(parts, { prefix, rejected: refused.get(prefix) ?? [], inKernel: kernel.has(prefix), names }),
    );
  const said = new Set(
    rib.filter(({ state }) => state !== 'rejected' && state !== 'unresolved').map(({ prefix }) => prefix),
  );
  const desired = model.routing.routes.entries();
  const links = new Map(listLinks(rtnl).map(({ index, name }) => [index, name]));
  const fib = [...kernel.values()].map((route) => {
    const wanted = desired.get(route.dst);
    const state = wanted?.kind === 'learned' && !said.has(route.dst) ? 'stale' : fibState(wanted);
    return { ...fibRow(route), state, ...whereTo(route, wanted, links) };
  });
  return { node, routes: [...fib.sort((a, b) => (a.prefix < b.prefix ? -1 : 1)), ...rib] };
}

const fibRow = (route: Route) => ({
  type: 'FIB' as const,
  prefix: route.dst,
  nextHops: route.nextHops.map(({ gateway }) => gateway),
  asPath: [],
  communities: [],
});

function fibState(wanted: DesiredRoute | undefined): BgpRouteView['state'] {
  if (wanted === undefined) return 'stale';
  return wanted.kind === 'blackhole' ? 'own-block' : wanted.kind;
}

function whereTo(
  route: Route,
  wanted: DesiredRoute | undefined,
  links: ReadonlyMap<number, string>,
): Pick<BgpRouteView, 'why'> {
  const indexes = new Set([route.oif, ...route.nextHops.map(({ oif }) => oif)].filter((oif) => oif !== undefined));
  const names = [...indexes].map((index) => links.get(index) ?? `interface ${index}`);
  if (wanted === undefined) return { why: 'wanted no more, about to be removed' };
  return names.length === 0 ? {} : { why: `dev ${names.join(', ')}` };
}

function ribRows(
  { model, failures }: BgpParts,
  of: {
    readonly prefix: Cidr;
    readonly rejected: readonly RejectedRoute[];
    readonly inKernel: boolean;
    readonly names: ReadonlyMap<Ip, string>;
  },
): readonly BgpRouteView[] {
  const { routing } = model;
  const { prefix, rejected, inKernel, names } = of;
  const refusal = ({ from }: RibPath) => rejected.find((each) => each.from === from);
  const paths = routing.paths(prefix);
  const candidates = paths.filter((path) => !path.local && refusal(path) === undefined);
  const best = bestPaths(candidates);
  return paths.map((path) => {
    const row = { type: 'RIB' as const, ...pathView(path, names) };
    if (path.local) return { ...row, state: 'originated' };
    const refused = refusal(path);
    if (refused !== undefined) {
      const leads = routing.wayTo(path.nextHop)?.kind !== 'unreachable';
      const why = refused.hint === undefined ? refused.why : `${refused.why}; ${refused.hint}`;
      return { ...row, state: leads ? 'rejected' : 'unresolved', why };
    }
    if (!best.includes(path)) return { ...row, state: 'not-best', why: whyNotBest(candidates, path) };
    if (inKernel) return { ...row, state: 'installed' };
    return { ...row, state: 'failed', why: failures().find((text) => text.includes(prefix)) ?? 'not written yet' };
  });
}

function whyNotBest(candidates: readonly RibPath[], path: RibPath): string {
  let left = candidates;
  for (const { rule, keep } of SELECTION_STEPS) {
    left = keep(left);
    if (!left.includes(path)) return `another one wins by ${rule}`;
  }
  return 'another one wins';
}

/** @throws BgpError */
export async function bgpAdvertisedView(parts: BgpParts): Promise<BgpAdvertisedView> {
  const { node, gobgp } = parts;
  const names = peerNames(parts);
  const paths: BgpAdvertisedView['paths'] = [];
  for (const { address, state } of await readPeers(parts)) {
    for (const path of await gobgp.adjacent(address, 'adj-out')) {
      const to = { to: names.get(address) ?? address, toAddress: address, sent: state === 'established' };
      paths.push({ ...to, ...pathView(path, names) });
    }
  }
  return { node, paths };
}
