// The agent of one node, put together: inputs on the left become events of the model, and after each burst of events
// one pass brings the outcome into the kernel.
//
//   datastore-feed ─┐
//   cni handler ────┤                         ┌─► effects: nftables, routes
//   ipam (blocks) ──┼─► dispatch ─► model ────┤
//   netlink events ─┤                         └─► bgp-runner ─► gobgpd
//   bgp-runner ─────┘
import { chmodSync, mkdirSync } from 'node:fs';
import { flushCompileCache } from 'node:module';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { restartGobgpd } from '../bgp/restart-gobgpd.ts';
import { attachmentOf } from '../cni/attachment.ts';
import { createCniHandler } from '../cni/handler.ts';
import { serveCni } from '../cni/server.ts';
import { createSpool } from '../cni/spool.ts';
import { createSpoolPlace } from '../cni/spool-place.ts';
import { createWiring } from '../cni/wiring.ts';
import { openEmbeddedStore } from '../datastore/embedded/open.ts';
import { resourceKey } from '../datastore/resources/index.ts';
import { type Cidr, cidrAddresses, cidrOf } from '../lib/cidr.ts';
import { compareIp } from '../lib/ip.ts';
import { listAddresses } from '../lib/linux/addresses.ts';
import { openConntrack } from '../lib/linux/conntrack.ts';
import { dropFilePages } from '../lib/linux/drop-file-pages.ts';
import { trimMalloc } from '../lib/linux/malloc-trim.ts';
import { lookUpRoute, type Route } from '../lib/linux/routes.ts';
import { openRtnl } from '../lib/linux/rtnl.ts';
import type { Log } from '../lib/log.ts';
import { openNftables } from '../lib/nftables/nfnetlink.ts';
import { untilDone } from '../lib/until-done.ts';
import { adoptLostEndpoints, keepOutWhileThere } from './adopt-endpoints.ts';
import { openAgentIpam } from './agent-ipam.ts';
import { createBgpRunner } from './bgp-runner.ts';
import { bgpPeers, bgpRoutes, createBgpDocuments } from './bgp-view/documents.ts';
import type { BgpParts } from './bgp-view/parts.ts';
import { createBlockSupply } from './block-supply.ts';
import { createEndpointCheck } from './check-endpoint.ts';
import { createCniEndpoints } from './cni-endpoints.ts';
import { cniStatus } from './cni-status.ts';
import { type Config, closedMetricsPort } from './config.ts';
import { type ControlSource, serveControl } from './control.ts';
import { feedDatastore } from './datastore-feed.ts';
import { generationsInUse } from './driver/conntrack.ts';
import { createNatDriver } from './driver/nat.ts';
import { createNftDriver } from './driver/nftables.ts';
import { createRouteDriver } from './driver/routes.ts';
import { createEffects, type Effects } from './effects.ts';
import { createEndpointWaiters } from './endpoint-waiters.ts';
import { liveVerdict } from './explain/live-verdict.ts';
import { ipamView, releaseLeak } from './ipam-view.ts';
import { sweepLeaks } from './leak-sweep.ts';
import { createLoopDelay } from './loop-delay.ts';
import type { Event } from './model/events.ts';
import type { LearnedRoutes } from './model/learned.ts';
import { createModel } from './model/model.ts';
import { keepNodeStatus, type NodeStatusWriter } from './node-status.ts';
import { compareBlocks, followOwnBlocks } from './own-blocks.ts';
import { createPeerHistory } from './peer-history.ts';
import { podFacts } from './pod-facts.ts';
import { createPodMtu } from './pod-mtu.ts';
import { NAT_TABLE } from './render/nat.ts';
import { generationOf } from './render/policy/generation.ts';
import { POLICY_TABLE } from './render/policy/names.ts';
import { unusedGeneration } from './revoke-generation.ts';
import { createRevoker } from './revoker.ts';
import { keepHeapSmall } from './small-heap.ts';
import { endpointRules, statusView } from './views.ts';
import { watchKernel } from './watch-kernel.ts';

/** Runs until `signal` aborts; nothing in the kernel is removed then. @throws Error when it cannot start */
export async function runAgent(config: Config, log: Log, signal: AbortSignal): Promise<void> {
  for (const folder of [config.runDirectory, config.stateDirectory]) {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    // One that was there may be open to others.
    chmodSync(folder, 0o700);
  }
  const store = openEmbeddedStore({ path: config.datastore.path, missing: 'refuse' });
  const rtnl = openRtnl();
  const nft = openNftables();
  const nftDriver = createNftDriver(nft, POLICY_TABLE, config.tableOwner);
  const nat = createNatDriver(createNftDriver(nft, NAT_TABLE, config.tableOwner), log);
  const conntrack = openConntrack();

  const kernelTable = nftDriver.read();
  const metricsPort = closedMetricsPort(config);
  const spoolFolder = join(config.stateDirectory, 'cni-spool');
  const spoolPlace = createSpoolPlace(spoolFolder, log);
  const model = createModel({
    node: config.node,
    logDenied: config.logDenied,
    metricsPort,
    generation:
      generationOf(kernelTable?.objects.values() ?? []) ?? unusedGeneration(await generationsInUse(conntrack)),
  });
  const revoker = createRevoker({
    conntrack,
    world: () => ({
      objects: model.nftObjects(),
      endpoints: model.endpoints(),
      blocks: model.routing.blocks(),
      localAddresses: new Set(listAddresses(rtnl).map(({ ip }) => ip)),
    }),
    generation: model.generation,
    log,
  });
  const state = {
    servesCni: false,
    storeProblem: undefined as string | undefined,
  };
  const waiters = createEndpointWaiters(() => state.storeProblem ?? effects.failures()[0] ?? 'no reason known');
  const routeDriver = createRouteDriver(rtnl, (routes) => dispatch({ kind: 'fib', routes }));
  const effects = createEffects({ model, nft: nftDriver, routes: routeDriver, waiters, revoker, log });

  let passDue = false;
  const dispatch = (event: Event): void => {
    model.accept(event);
    if (passDue) return;
    passDue = true;
    queueMicrotask(() => {
      passDue = false;
      effects.pass();
      if (!model.complete()) return;
      nat.update({ pools: model.pools(), bgpPorts: model.bgpPorts() });
      bgp.poke();
    });
  };

  const peerHistory = createPeerHistory();
  let nodeStatus: NodeStatusWriter | undefined;
  const gobgpSocket = join(config.runDirectory, 'gobgp', 'gobgp.sock');
  const bgp = createBgpRunner({
    socketPath: gobgpSocket,
    restart: () => restartGobgpd(gobgpSocket),
    log,
    dispatch: (event) => {
      if (event.kind === 'peers') {
        if (peerHistory.observe(event.peers, Date.now())) nodeStatus?.changed();
      }
      dispatch(event);
    },
    takeDesired: () => (model.complete() ? model.routing.takeBgp() : undefined),
    settled: () => model.routing.bgp().settled,
  });

  const ipam = await openAgentIpam({ store, config, model, log, signal });
  let ownBlocks: readonly Cidr[] | undefined;
  const tellBlocks = (): void => {
    const blocks = ipam.blocks().map((block) => block.cidr);
    // A block that was another node's: pods here may have flows with the pods that had its addresses there.
    const added = ownBlocks === undefined ? [] : blocks.filter((block) => ownBlocks?.includes(block) !== true);
    ownBlocks = blocks;
    dispatch({ kind: 'blocks', blocks });
    if (added.length > 0) revoker.addressesGone(added.flatMap(cidrAddresses));
  };
  const supply = createBlockSupply(ipam, signal);

  await untilDone('read own blocks', () => compareBlocks(ipam), { log, signal });
  const lost = { node: config.node, store, ipam, rtnl, routes: routeDriver, log };
  const takeUp = () => adoptLostEndpoints(lost);
  const letIn = keepOutWhileThere(await untilDone('take up the pods of a lost journal', takeUp, { log, signal }), lost);
  ipam.onBlocksChanged(tellBlocks);
  tellBlocks();
  dispatch({ kind: 'kernel-routes', routes: learnedInKernel(routeDriver.read()) });
  for (const assignment of [...ipam.assignments()].sort((a, b) => a.sequence - b.sequence)) {
    if (assignment.state === 'attached') dispatch({ kind: 'attached', attachment: attachmentOf(assignment) });
  }
  const tellSubnets = (): void => {
    const subnets = listAddresses(rtnl).map(({ ip, prefixLength }) => cidrOf(ip, prefixLength));
    dispatch({ kind: 'connected', subnets });
  };
  tellSubnets();

  const ownNode = resourceKey('Node', undefined, config.node);
  const secureBlock = (): void => {
    if (effects.ready()) void supply.secure();
  };
  const blockObjects = followOwnBlocks({ node: config.node, ipam, onCompared: secureBlock, log, signal });
  const feeding = feedDatastore({
    store,
    node: config.node,
    dispatch: (event) => {
      blockObjects.accept(event);
      const key = event.kind === 'resource' ? event.change.key : undefined;
      // The model hears of blocks from those who use them: address management and BGP.
      if (key?.startsWith('IPBlock/') === true) return;
      dispatch(event);
      // The pools, the labels that their selectors ask for, and what keeps addresses or blocks from being had.
      if (/^(IPPool|IPReservation|IPAMConfiguration)\//.test(key ?? '') || key === ownNode) secureBlock();
    },
    onError: (why) => {
      state.storeProblem = why;
    },
    log,
    signal,
  });
  const endpoints = createCniEndpoints({
    dispatch,
    waiters,
    revoker,
    check: createEndpointCheck({
      model,
      nft: nftDriver,
      generation: nft.generation,
      routeTo: (ip) => lookUpRoute(rtnl, ip),
      linkIndex: rtnl.linkIndex,
    }),
  });
  const loop = createLoopDelay();
  const addresses = { node: config.node, ipam, rtnl, routes: routeDriver };
  const releaseAddress: ControlSource['releaseAddress'] = (asked) =>
    releaseLeak({ ...addresses, detach: endpoints.detach, nowMs: Date.now() }, asked);
  const bgpParts: BgpParts = {
    node: config.node,
    model,
    gobgp: bgp,
    history: peerHistory,
    rtnl,
    failures: effects.failures,
    nowMs: Date.now,
  };
  const metrics = async () => (await import('./metrics.ts')).metricsText(bgpParts, effects, nft);
  const control = await serveControl(join(config.runDirectory, 'control.sock'), {
    ready: () => effects.ready() && state.servesCni,
    status: () =>
      statusView({
        node: config.node,
        model,
        effects,
        revoker: revoker.view(),
        tableOwner: nftDriver.owner,
        servesCni: state.servesCni,
        loop: loop.view(),
        problems: [
          state.storeProblem,
          ipam.journalProblem(),
          supply.problem(),
          spoolPlace.problem(),
          ...ipam.stranded().map(({ why }) => why),
          revoker.view().problem,
          ...nat.failures(),
          ...bgp.problems(),
        ].filter((text) => text !== undefined),
      }),
    endpointRules: (namespace, pod) => endpointRules(model, namespace, pod),
    verdict: (words) =>
      liveVerdict({ node: config.node, model, counters: () => nft.counters(POLICY_TABLE.name), metricsPort }, words),
    ipam: () => ipamView(addresses),
    bgp: createBgpDocuments(bgpParts),
    metrics,
    releaseAddress,
  });

  nodeStatus = keepNodeStatus({
    store,
    node: config.node,
    peers: () => bgpPeers(bgpParts),
    routes: () => bgpRoutes(bgpParts),
    log,
    signal,
  });
  const metricsServer = await serveMetricsIfAsked(config, metrics, log);

  await untilReady(effects, signal);
  const mtu = createPodMtu({
    rtnl,
    nodeAddresses: model.nodeAddresses,
    configuredBytes: config.mtuBytes,
    path: join(config.runDirectory, 'mtu'),
    log,
  });
  const onAddresses = (): void => {
    mtu.addressesChanged();
    tellSubnets();
  };
  watchKernel({ rtnl, nftPort: nft.portId, model, effects, nat, onAddresses, onLinkGone: letIn, log, signal });
  await supply.secure();
  mtu.bytes();

  const wiring = createWiring(rtnl, log);
  const handler = createCniHandler({
    ipam,
    wiring,
    endpoints,
    mtu: mtu.bytes,
    families: ipam.families,
    podFacts: (pod) => podFacts(model.resource, pod),
    podAddressRequests: config.podAddressRequests,
    status: () =>
      cniStatus({
        rulesInForce: effects.ready(),
        failures: effects.failures(),
        journalProblem: ipam.journalProblem(),
        ownedBlocks: ipam.blocks().length,
        claimsOnDemand: supply.isOnDemand(),
        ipamProblem: supply.problem(),
      }),
    spoolPlace,
    log,
  });
  keepHeapSmall();
  const spool = createSpool(spoolFolder, handler, log);
  const cni = await serveCni(join(config.runDirectory, 'cni.sock'), spool.handle, log);
  state.servesCni = true;
  await spool.replay();
  const replaying = spool.keepReplaying(signal);
  const leaks = {
    ...{ ipam, wiring, resource: model.resource, release: releaseAddress, log },
    view: () => ipamView(addresses),
    storeProblem: () => state.storeProblem,
    graceMs: model.addressing.leakGraceMs,
  };
  sweepLeaks(leaks, signal);
  // Not only at the end: an agent that is killed leaves what it compiled, too.
  flushCompileCache();
  trimMalloc();
  dropFilePages();
  // The first reading of everything takes as long as it takes.
  loop.begin();
  log.info({ node: config.node, blocks: ipam.blocks().map((block) => block.cidr) }, 'agent is ready');

  await feeding;
  control.close();
  metricsServer?.close();
  loop.close();
  await cni.close();
  await replaying;
  bgp.close();
  effects.close();
  nat.close();
  await revoker.close();
  ipam.close();
  store.close();
}

/** A port that is taken is no reason to leave pods without an agent. */
async function serveMetricsIfAsked({ metricsListen }: Config, text: () => Promise<string>, log: Log) {
  if (metricsListen === undefined) return undefined;
  try {
    const { serveMetrics } = await import('./serve-metrics.ts');
    return await serveMetrics(metricsListen, text);
  } catch (error) {
    log.error({ err: error, ...metricsListen }, 'metrics not served over TCP; the control socket has them');
    return undefined;
  }
}

async function untilReady(effects: Effects, signal: AbortSignal): Promise<void> {
  while (!effects.ready()) await delay(5, undefined, { signal });
}

/** Routes through a gateway that an earlier life of the agent learned. */
function learnedInKernel(routes: ReadonlyMap<Cidr, Route>): LearnedRoutes {
  const learned = [...routes.values()].filter((route) => route.type === 'unicast' && route.nextHops.length > 0);
  return new Map(learned.map(({ dst, nextHops }) => [dst, nextHops.map(({ gateway }) => gateway).sort(compareIp)]));
}
