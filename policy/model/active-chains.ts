// The policy chains that profiles refer to, counted, and through them the sets that exist.
import type { Change } from '../../lib/change.ts';
import { lowerPolicy } from './lower.ts';
import type { NodeSets } from './node-sets.ts';
import type { PodSets } from './pod-sets.ts';
import type { ActiveChain, ChainRecord, PolicyRecord, SetRecord } from './records.ts';
import type { SetRef } from './set-ref.ts';
import type { ChainKey, PolicyChain, SetChange, SetKey } from './types.ts';

export type ActiveChains = {
  /** A profile that refers to the chain came or went. */
  readonly count: (chain: ChainRecord, step: 1 | -1) => void;
  /** Whether some chain in use has rules that deny or pass: then more members can mean fewer packets. */
  readonly hasNonAllow: () => boolean;
  /** `changed` are policies that may read differently now. Sets that nothing refers to any more are closed. */
  readonly drain: (changed: readonly PolicyRecord[]) => {
    readonly chains: readonly Change<ChainKey, PolicyChain>[];
    readonly sets: readonly SetChange[];
    readonly canRevoke: boolean;
  };
};

export function createActiveChains({
  podSets,
  nodeSets,
}: {
  readonly podSets: PodSets;
  readonly nodeSets: NodeSets;
}): ActiveChains {
  const sets = new Map<SetKey, SetRecord>();
  let touchedSets: SetRecord[] = [];
  let touched: ChainRecord[] = [];
  let nonAllow = 0;

  const touch = (chain: ChainRecord): void => {
    if (chain.touched) return;
    chain.touched = true;
    touched.push(chain);
  };

  const countSets = (list: readonly SetRecord[], step: 1 | -1): void => {
    for (const set of list) {
      set.count += step;
      if (set.touched) continue;
      set.touched = true;
      touchedSets.push(set);
    }
  };

  const ensureSet = (key: SetKey, ref: SetRef): SetRecord => {
    const known = sets.get(key);
    if (known !== undefined) return known;
    const made: SetRecord = { key, ref, count: 0, touched: false, open: false, view: undefined };
    sets.set(key, made);
    return made;
  };

  const settleSets = (): readonly SetChange[] => {
    const changes: SetChange[] = [];
    for (const set of touchedSets) {
      set.touched = false;
      const wanted = set.count > 0;
      if (!wanted) sets.delete(set.key);
      if (wanted === set.open) continue;
      set.open = wanted;
      const { key, ref, view } = set;
      if (ref.kind === 'ranges') changes.push(rangesChange(key, ref, wanted));
      else if (ref.kind === 'nodes') {
        if (wanted) nodeSets.open(key, ref.selector);
        else changes.push(nodeSets.close(key));
      } else if (wanted) set.view = podSets.open(key, ref);
      else if (view !== undefined) changes.push(podSets.close(view));
    }
    touchedSets = [];
    return changes;
  };

  const resolve = ({ count, owner, direction }: ChainRecord): ActiveChain | undefined => {
    const { policy } = owner;
    if (count <= 0 || policy === undefined) return undefined;
    const { chain, sets: refs } = lowerPolicy(policy, direction);
    return {
      policy,
      chain,
      sets: refs.length === 0 ? NO_SETS : refs.map(({ key, ref }) => ensureSet(key, ref)),
      allowOnly: chain.matches.every(({ action }) => action === 'allow'),
    };
  };

  return {
    count: (chain, step) => {
      chain.count += step;
      touch(chain);
    },
    hasNonAllow: () => nonAllow > 0,
    drain: (changed) => {
      for (const { ingress, egress } of changed) {
        if (ingress?.active !== undefined) touch(ingress);
        if (egress?.active !== undefined) touch(egress);
      }
      const chains: Change<ChainKey, PolicyChain>[] = [];
      let canRevoke = false;
      for (const chain of touched) {
        chain.touched = false;
        const before = chain.active;
        const after = resolve(chain);
        if (before === undefined ? after === undefined : after !== undefined && sameChain(before, after)) continue;
        if (before !== undefined && after !== undefined) canRevoke = true;
        nonAllow += (after?.allowOnly === false ? 1 : 0) - (before?.allowOnly === false ? 1 : 0);
        if (after !== undefined) countSets(after.sets, 1);
        if (before !== undefined) countSets(before.sets, -1);
        chain.active = after;
        chains.push({ key: chain.key, value: after?.chain });
      }
      touched = [];
      return { chains, sets: settleSets(), canRevoke };
    },
  };
}

const NO_SETS: readonly SetRecord[] = [];

const sameChain = (a: ActiveChain, b: ActiveChain): boolean =>
  a.policy === b.policy || JSON.stringify(a.chain) === JSON.stringify(b.chain);

function rangesChange(key: SetKey, { ranges }: Extract<SetRef, { kind: 'ranges' }>, exists: boolean): SetChange {
  return { kind: 'ranges', key, exists, added: exists ? ranges : [], removed: exists ? [] : ranges };
}
