// Brings gobgpd to the desired state, level-triggered: everything is listed and compared, nothing is remembered, so
// that it does not matter who restarted since. Order: start, policies, paths, peers; a peer that comes up finds the
// rules and the routes in place. One failure does not hide another.
import type { Ip } from '../../lib/ip.ts';
import type { DesiredBgp } from '../model/types.ts';
import { applyPaths, type PathMemory } from './apply-paths.ts';
import { applyPeers } from './apply-peers.ts';
import { applyPolicies, type PolicyMemory } from './apply-policies.ts';
import { globalDifferences, keyLimitWarning, listenable } from './plan.ts';
import type { Connection } from './read-paths.ts';
import { BgpError } from './rpc.ts';

export type ApplyReport = {
  /**
   * `applied`: gobgpd has what was desired. `incomplete`: all but what `problems` name; try again later.
   * `restart-needed`: it does not speak as desired, and gobgpd must be restarted first. `unreachable`: gobgpd went away;
   * wait for the event `up`.
   */
  readonly outcome: 'applied' | 'incomplete' | 'restart-needed' | 'unreachable';
  /** Sentences for people; also warnings, which do not make it incomplete. */
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
  /** @throws BgpError, or the signal's reason */
  readonly speak: (signal: AbortSignal) => Promise<Connection>;
  /** The policies set last, by direction; only spares work. */
  readonly memory: PolicyMemory;
  readonly pathMemory: PathMemory;
  /** Of a listening socket, in bytes: `net.core.optmem_max`. Absent: not known. */
  readonly optionMemoryBytes: number | undefined;
  /** Whether an interface of the node has it. */
  readonly isLocal: (address: Ip) => boolean;
};

/** `false`: the step failed, and `problems` says so. */
export type Attempt = (what: string, step: () => Promise<void>) => Promise<boolean>;

/** What the steps of one `apply()` share. */
export type ApplyRun = Connection & {
  readonly memory: PolicyMemory;
  readonly pathMemory: PathMemory;
  readonly desired: DesiredBgp;
  readonly attempt: Attempt;
  readonly warn: (sentence: string) => void;
  /** As `warn`; the outcome is `restart-needed`. */
  readonly needRestart: (sentence: string) => void;
  readonly signal: AbortSignal;
};

/** @throws only the signal's reason */
export async function applyBgp(context: ApplyContext, desired: DesiredBgp, signal: AbortSignal): Promise<ApplyReport> {
  const problems: string[] = [];
  let failures = 0;
  let isRestartNeeded = false;
  let report: ApplyReport = {
    outcome: 'applied',
    problems,
    started: false,
    paths: { added: 0, removed: 0 },
    peers: { added: [], replaced: [], removed: [], unchanged: 0 },
  };
  const attempt: Attempt = async (what, step) => {
    try {
      await step();
      return true;
    } catch (error) {
      if (!(error instanceof BgpError) || error.code === 'unreachable') throw error;
      problems.push(`${what}: ${error.message}`);
      failures++;
      return false;
    }
  };
  try {
    const connection = await context.speak(signal);
    const { rpc, codec } = connection;
    const run: ApplyRun = {
      ...connection,
      memory: context.memory,
      pathMemory: context.pathMemory,
      desired,
      attempt,
      signal,
      warn: (sentence) => problems.push(sentence),
      needRestart: (sentence) => {
        problems.push(sentence);
        isRestartNeeded = true;
      },
    };
    // Always asked first: without a listener a second StartBgp would silently empty the table.
    const actual = await rpc.unary(codec.getBgp, undefined, signal);
    if (actual.asn === 0) {
      const { addresses, warnings } = listenable(desired.global, context.isLocal);
      const settings = { ...desired.global, listenAddresses: addresses };
      const begun = await attempt('Cannot start BGP', () => rpc.unary(codec.startBgp, settings, signal));
      // After one address that could not be had, gobgpd keeps the others taken, from itself as well.
      if (!begun)
        return { ...report, outcome: /already in use/.test(problems.join()) ? 'restart-needed' : 'incomplete' };
      report = { ...report, started: true };
      for (const warning of warnings) run.warn(warning);
    } else {
      // An address that the node lost is still listened on when it comes back.
      const inUse = new Set(actual.listenAddresses);
      const { addresses, warnings } = listenable(desired.global, (ip) => inUse.has(ip) || context.isLocal(ip));
      problems.push(...globalDifferences(actual, { ...desired.global, listenAddresses: addresses }));
      if (problems.length > 0) return { ...report, outcome: 'restart-needed' };
      for (const warning of warnings) run.warn(warning);
    }
    const warning = keyLimitWarning(desired.peers.values(), context.optionMemoryBytes);
    if (warning !== undefined) run.warn(warning);
    // Without its policies a speaker would pass on everything: no peer is added then.
    const policies = await applyPolicies(run);
    report = { ...report, paths: await applyPaths(run, policies.again) };
    if (policies.safe) {
      report = { ...report, peers: await applyPeers(run, policies.restart) };
      await policies.finish();
    }
    return { ...report, outcome: isRestartNeeded ? 'restart-needed' : failures === 0 ? 'applied' : 'incomplete' };
  } catch (error) {
    if (!(error instanceof BgpError)) throw error;
    problems.push(error.message);
    return { ...report, outcome: error.code === 'unreachable' ? 'unreachable' : 'incomplete' };
  }
}
