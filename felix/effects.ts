// Brings the model's desired state into the kernel, in the order sysctls → nftables → routes, so that a pod's policy is
// there before a route leads to it. One pass is synchronous: the kernel does its work inside the system call. What fails
// is dirty again and tried later, with backoff; what somebody else changed is found by a new reading.
import type { Cidr } from '../lib/cidr.ts';
import type { Log } from '../lib/log.ts';
import type { NftChange } from '../lib/nftables/ast.ts';
import { ALL_TOUCHED, mergeTouched, NOTHING_TOUCHED, type Touched } from '../lib/nftables/touched.ts';
import type { NftDriver } from './driver/nftables.ts';
import type { RouteDriver } from './driver/routes.ts';
import { applyNodeSysctls } from './driver/sysctls.ts';
import type { EndpointWaiters } from './endpoint-waiters.ts';
import type { Model } from './model/model.ts';
import { hostRoute } from './model/route.ts';
import { createRepairPace } from './repair-pace.ts';
import type { Revoker } from './revoker.ts';

export type Effects = {
  /** One pass over everything that is dirty; nothing before the first complete snapshot. */
  readonly pass: () => void;
  /** Reads the kernel again soon, and repairs what differs. Calls in between are one. Of nftables all without `touched`. */
  readonly verifySoon: (driver: 'nftables' | 'routes', touched?: Touched) => void;
  /** The first pass is through, and the last batch of rules went into the kernel. */
  readonly ready: () => boolean;
  /** What is not in the kernel now, as sentences. */
  readonly failures: () => readonly string[];
  /** How often what somebody else changed was put right. */
  readonly repairs: () => Readonly<Record<'nftables' | 'routes', number>>;
  readonly close: () => void;
};

/** Delay before trying again, in milliseconds; doubled up to the second figure. */
const RETRY_MS = { first: 200, most: 30_000 } as const;

export function createEffects(options: {
  readonly model: Model;
  readonly nft: NftDriver;
  readonly routes: RouteDriver;
  readonly waiters: EndpointWaiters;
  readonly revoker: Pick<Revoker, 'worldChanged' | 'revoke' | 'revokeSoon'>;
  readonly log: Log;
}): Effects {
  const { model, nft, routes, waiters, revoker, log } = options;
  const timers = createTimers();
  const repairs = { nftables: 0, routes: 0 };
  let started = false;
  let nftFailure: string | undefined;
  let nftRetryMs: number = RETRY_MS.first;
  let routeFailures: ReadonlyMap<Cidr, string> = new Map();
  let routeRetryMs: number = RETRY_MS.first;
  let unread: Touched = NOTHING_TOUCHED;
  const pace = { nftables: createRepairPace(), routes: createRepairPace() };

  const firstPass = (): void => {
    try {
      applyNodeSysctls();
      model.drainNft('keep');
      nft.takeOver();
      const found = nft.differences(model.nftObjects(), ALL_TOUCHED);
      if (found.length === 0) log.info('nftables table adopted as it is');
      else {
        bring(found);
        log.info('nftables table brought up to date');
      }
      for (const dst of routes.differing(model.routing.routes.entries())) model.routing.routes.markDirty(dst);
      started = true;
      nftFailure = undefined;
      nftRetryMs = RETRY_MS.first;
      revoker.worldChanged();
      revoker.revoke();
    } catch (error) {
      nftFailure = error instanceof Error ? error.message : String(error);
      log.error({ err: error, retryMs: nftRetryMs }, 'first pass failed; what the kernel had stands');
      timers.once('first-pass', nftRetryMs, pass);
      nftRetryMs = Math.min(nftRetryMs * 2, RETRY_MS.most);
    }
  };

  // What others changed, or a batch that was refused, may have let flows pass and be marked as judged, hence the new
  // generation.
  const bring = (found: readonly NftChange[] | 'replace'): void => {
    const generation = model.newGeneration();
    const objects = model.nftObjects();
    if (found === 'replace') {
      nft.replace(objects);
      return;
    }
    const differing = new Map(found.map(({ key, before }) => [key, { key, before, after: objects.get(key) }]));
    try {
      nft.apply([...differing.values(), ...generation.filter(({ key }) => !differing.has(key))]);
    } catch (error) {
      log.warn({ err: error, changes: differing.size }, 'nftables differences refused, replacing the whole table');
      nft.replace(objects);
    }
  };

  const writeTable = (found: readonly NftChange[] | 'replace'): void => {
    try {
      bring(found);
      nftFailure = undefined;
      nftRetryMs = RETRY_MS.first;
      revoker.worldChanged();
      revoker.revoke();
    } catch (error) {
      nftFailure = error instanceof Error ? error.message : String(error);
      log.error({ err: error, retryMs: nftRetryMs }, 'nftables table not written; the rules before it stand');
      timers.once('nftables-retry', nftRetryMs, () => {
        writeTable('replace');
        pass();
      });
      nftRetryMs = Math.min(nftRetryMs * 2, RETRY_MS.most);
    }
  };

  const applyNft = (): void => {
    const generation = model.generation();
    const changes = model.drainNft('bump-if-needed');
    if (nftFailure !== undefined || changes.length === 0) return;
    try {
      nft.apply(changes);
    } catch (error) {
      log.warn({ err: error, changes: changes.length }, 'nftables batch refused, replacing the whole table');
      writeTable('replace');
      return;
    }
    revoker.worldChanged();
    if (model.generation() !== generation) revoker.revoke();
    else if (changes.some(takesAway)) revoker.revokeSoon();
  };

  const applyRoutes = (): void => {
    const dirty = model.routing.routes.takeDirty();
    if (dirty.size === 0) return;
    const failed = routes.write(dirty, model.routing.routes.entries());
    routeFailures = new Map([...[...routeFailures].filter(([dst]) => !dirty.has(dst)), ...failed]);
    if (routeFailures.size === 0) routeRetryMs = RETRY_MS.first;
    // Those that failed before are tried again at their time, however many others are written until then.
    if (failed.size === 0) return;
    log.warn({ failures: [...failed.values()].slice(0, 10), retryMs: routeRetryMs }, 'routes not written');
    timers.once('routes-retry', routeRetryMs, () => {
      routeRetryMs = Math.min(routeRetryMs * 2, RETRY_MS.most);
      for (const dst of routeFailures.keys()) model.routing.routes.markDirty(dst);
      pass();
    });
  };

  const pass = (): void => {
    if (!model.complete()) return;
    const served = waiters.take();
    if (!started) firstPass();
    else applyNft();
    // Without its rules in force, no route may lead to a pod.
    if (nftFailure === undefined) applyRoutes();
    for (const { attachment, settle } of served) {
      settle(
        nftFailure ?? attachment.ips.map((ip) => routeFailures.get(hostRoute(ip))).find((why) => why !== undefined),
      );
    }
  };

  const verify = (driver: 'nftables' | 'routes'): void => {
    if (!started) return;
    const began = performance.now();
    const repaired = driver === 'nftables' ? repairNft() : repairRoutes();
    if (repaired) repairs[driver]++;
    pace[driver].looked({ began, now: performance.now(), repaired });
  };

  const repairNft = (): boolean => {
    const touched = unread;
    unread = NOTHING_TOUCHED;
    if (nftFailure !== undefined) return false;
    const found = differences(touched);
    if (found.length === 0) return false;
    const what = found === 'replace' ? { changes: 'all' } : { changes: found.length, first: found[0]?.key };
    log.warn(what, 'nftables table was changed by somebody else, putting it right');
    writeTable(found);
    return true;
  };

  const differences = (touched: Touched): readonly NftChange[] | 'replace' => {
    try {
      return nft.differences(model.nftObjects(), touched);
    } catch (error) {
      log.warn({ err: error }, 'nftables table cannot be read, replacing it');
      return 'replace';
    }
  };

  const repairRoutes = (): boolean => {
    const differing = routes.differing(model.routing.routes.entries());
    for (const dst of differing) model.routing.routes.markDirty(dst);
    if (differing.length > 0) pass();
    return differing.length > 0;
  };

  return {
    pass,
    verifySoon: (driver, touched = ALL_TOUCHED) => {
      if (driver === 'nftables') unread = mergeTouched(unread, touched);
      timers.once(`${driver}-verify`, pace[driver].delayMs(performance.now()), () => verify(driver));
    },
    ready: () => started && nftFailure === undefined,
    repairs: () => repairs,
    failures: () => [...(nftFailure === undefined ? [] : [nftFailure]), ...routeFailures.values()],
    close: timers.close,
  };
}

/** An element that goes without a change of the generation, such as a deleted pod's address. */
const takesAway = ({ before, after }: NftChange): boolean => before?.kind === 'element' && after === undefined;

/** Named timers; a name that is waiting is not started again. */
function createTimers() {
  const waiting = new Map<string, NodeJS.Timeout>();
  return {
    once: (name: string, ms: number, action: () => void): void => {
      if (waiting.has(name)) return;
      const timer = setTimeout(() => {
        waiting.delete(name);
        action();
      }, ms);
      waiting.set(name, timer);
    },
    close: (): void => {
      for (const timer of waiting.values()) clearTimeout(timer);
    },
  };
}
