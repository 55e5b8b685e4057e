// Brings gobgpd to the desired state, level-triggered: everything is listed and compared, nothing is remembered, so
// that it does not matter who restarted since. Order: start, policies, paths, peers; a peer that comes up finds the
// rules and the routes in place. One failure does not hide another.
import type { Ip } from '../../lib/ip.ts';
import type { DesiredBgp, RibPath } from '../model/types.ts';
import type { Codec, PathToWrite } from './codec.ts';
import { noteOf, shortHash } from './note.ts';
import { globalDifferences, planPaths, planPeers } from './plan.ts';
import { BgpError, type Rpc } from './rpc.ts';

export type ApplyReport = {
  /**
   * `applied`: gobgpd has what was desired. `incomplete`: all but what `problems` name; try again later.
   * `restart-needed`: nothing was changed, gobgpd must be restarted first. `unreachable`: gobgpd went away; wait for
   * the event `up`.
   */
  readonly outcome: 'applied' | 'incomplete' | 'restart-needed' | 'unreachable';
  /** Sentences for people. */
  readonly problems: readonly string[];
  /** Whether gobgpd was found not started, that is fresh. */
  readonly started: boolean;
  readonly paths: { readonly added: number; readonly removed: number };
  readonly peers: {
    readonly added: readonly Ip[];
    readonly replaced: readonly Ip[];
    readonly removed: readonly Ip[];
    readonly unchanged: number;
  };
};

export type ApplyContext = {
  readonly rpc: Rpc;
  readonly codec: Codec;
  readonly readPaths: (ownAsn: number, signal: AbortSignal) => Promise<readonly RibPath[]>;
};

/** @throws only the signal's reason */
export async function applyBgp(context: ApplyContext, desired: DesiredBgp, signal: AbortSignal): Promise<ApplyReport> {
  const problems: string[] = [];
  const { rpc, codec } = context;
  let report: ApplyReport = {
    outcome: 'applied',
    problems,
    started: false,
    paths: { added: 0, removed: 0 },
    peers: { added: [], replaced: [], removed: [], unchanged: 0 },
  };
  try {
    const actual = await rpc.unary(codec.getBgp, undefined, signal);
    if (actual.asn === 0) {
      await rpc.unary(codec.startBgp, desired.global, signal);
      report = { ...report, started: true };
    } else {
      problems.push(...globalDifferences(actual, desired.global));
      if (problems.length > 0) return { ...report, outcome: 'restart-needed' };
    }
    const attempt = async (what: string, step: () => Promise<void>): Promise<boolean> => {
      try {
        await step();
        return true;
      } catch (error) {
        if (!(error instanceof BgpError) || error.code === 'unreachable') throw error;
        problems.push(`${what}: ${error.message}`);
        return false;
      }
    };
    // Without its policy a speaker would pass on everything: no peer is added then.
    const safe = await attempt('Cannot set export policy', () => applyExports(context, desired, signal));
    report = { ...report, paths: await applyPaths(context, desired, attempt, signal) };
    if (safe) report = { ...report, peers: await applyPeers(context, desired, attempt, signal) };
    return { ...report, outcome: problems.length === 0 ? 'applied' : 'incomplete' };
  } catch (error) {
    if (!(error instanceof BgpError)) throw error;
    problems.push(error.message);
    return { ...report, outcome: error.code === 'unreachable' ? 'unreachable' : 'incomplete' };
  }
}

type Attempt = (what: string, step: () => Promise<void>) => Promise<boolean>;

/** Sessions whose routes are resent at once; gobgpd serialises them anyway. */
const IN_FLIGHT = 32;

// The policy's name carries its hash: equal name, equal content. The new one is assigned before the old one goes.
async function applyExports({ rpc, codec }: ApplyContext, { exports }: DesiredBgp, signal: AbortSignal): Promise<void> {
  const name = `margay-export-${shortHash(exports)}`;
  const before = await assignment(rpc, codec, signal);
  if (before.policies.length === 1 && before.policies[0] === name && before.otherwise === exports.otherwise) return;
  try {
    await rpc.unary(codec.addExportPolicy, { name, exports }, signal);
  } catch (error) {
    // Left by an attempt that broke off between adding and assigning it.
    if (!(error instanceof BgpError) || !/duplicat|exist/.test(error.message)) throw error;
  }
  await rpc.unary(codec.setExportAssignment, { name, exports }, signal);
  for (const old of before.policies) {
    if (old !== name) await rpc.unary(codec.deletePolicy, old, signal);
  }
  // Policies act on what is sent from now on; what was sent before is corrected by sending all again.
  for await (const { state } of rpc.stream(codec.listPeer(0), undefined, { signal })) {
    if (state.state === 'established') await rpc.unary(codec.softResetOut, state.address, signal);
  }
}

async function assignment(rpc: Rpc, codec: Codec, signal: AbortSignal) {
  for await (const found of rpc.stream(codec.listExportAssignment, undefined, { signal })) return found;
  return { policies: [], otherwise: 'none' } as const;
}

async function applyPaths(
  { rpc, codec, readPaths }: ApplyContext,
  desired: DesiredBgp,
  attempt: Attempt,
  signal: AbortSignal,
): Promise<ApplyReport['paths']> {
  const plan = planPaths(await readPaths(desired.global.asn, signal), desired.paths);
  const write = (verb: 'advertise' | 'withdraw', call: Codec['addPath'], paths: readonly PathToWrite[]) =>
    inChunks(paths, (path) => attempt(`Cannot ${verb} "${path.prefix}"`, () => rpc.unary(call, path, signal)));
  const added = await write('advertise', codec.addPath, plan.add);
  const removed = await write('withdraw', codec.deletePath, plan.remove);
  return { added, removed };
}

async function applyPeers(
  { rpc, codec }: ApplyContext,
  desired: DesiredBgp,
  attempt: Attempt,
  signal: AbortSignal,
): Promise<ApplyReport['peers']> {
  const actual = new Map<Ip, string>();
  for await (const { note, state } of rpc.stream(codec.listPeer(0), undefined, { signal })) {
    actual.set(state.address, note);
  }
  const plan = planPeers(actual, desired.peers, noteOf);
  const removed: Ip[] = [];
  const added: Ip[] = [];
  const replaced: Ip[] = [];
  for (const address of plan.remove) {
    const done = await attempt(`Cannot remove peer "${address}"`, () => rpc.unary(codec.deletePeer, address, signal));
    if (done) removed.push(address);
  }
  for (const peer of plan.replace) {
    const done = await attempt(`Cannot change peer "${peer.address}"`, async () => {
      await rpc.unary(codec.deletePeer, peer.address, signal);
      await rpc.unary(codec.addPeer, { peer, note: noteOf(peer) }, signal);
    });
    if (done) replaced.push(peer.address);
  }
  await inChunks(plan.add, async (peer) => {
    const done = await attempt(`Cannot add peer "${peer.address}"`, () =>
      rpc.unary(codec.addPeer, { peer, note: noteOf(peer) }, signal),
    );
    if (done) added.push(peer.address);
    return done;
  });
  return { added, replaced, removed, unchanged: plan.unchanged };
}

/** Returns how many steps succeeded. */
async function inChunks<T>(items: readonly T[], step: (item: T) => Promise<boolean>): Promise<number> {
  let done = 0;
  for (let at = 0; at < items.length; at += IN_FLIGHT) {
    const results = await Promise.all(items.slice(at, at + IN_FLIGHT).map(step));
    done += results.filter(Boolean).length;
  }
  return done;
}
