// The policy chains that profiles refer to, counted, and through them the sets that exist.
import type { Change } from '../../lib/change.ts';
import type { Direction, Policy, PolicyKey } from '../ir.ts';
import { type LoweredChain, lowerPolicy } from './lower.ts';
import type { NodeSets } from './node-sets.ts';
import type { PodSets } from './pod-sets.ts';
import { chainKeyOf } from './profiles.ts';
import type { SetRef } from './set-ref.ts';
import type { ChainKey, PolicyChain, SetChange, SetKey } from './types.ts';

export type ActiveChains = {
  /** A profile that refers to the chain came or went. */
  readonly count: (key: ChainKey, step: 1 | -1) => void;
  /** Whether some chain in use has rules that deny or pass: then more members can mean fewer packets. */
  readonly hasNonAllow: () => boolean;
  /** `changed` are policies that may read differently now. Sets that nothing refers to any more are closed. */
  readonly drain: (changed: ReadonlySet<PolicyKey>) => {
    readonly chains: readonly Change<ChainKey, PolicyChain>[];
    readonly sets: readonly SetChange[];
    readonly canRevoke: boolean;
  };
};

type Active = { readonly policy: Policy; readonly lowered: LoweredChain; readonly allowOnly: boolean };

export function createActiveChains(
  policies: ReadonlyMap<PolicyKey, Policy>,
  { podSets, nodeSets }: { readonly podSets: PodSets; readonly nodeSets: NodeSets },
): ActiveChains {
  const counts = new Map<ChainKey, number>();
  const active = new Map<ChainKey, Active>();
  const setCounts = new Map<SetKey, number>();
  const open = new Map<SetKey, SetRef>();
  const touched = new Set<ChainKey>();
  let nonAllow = 0;

  const countSets = (lowered: LoweredChain | undefined, step: 1 | -1, affected: Map<SetKey, SetRef>): void => {
    for (const [key, ref] of lowered?.sets ?? []) {
      setCounts.set(key, (setCounts.get(key) ?? 0) + step);
      affected.set(key, ref);
    }
  };

  const settleSets = (affected: ReadonlyMap<SetKey, SetRef>): readonly SetChange[] => {
    const changes: SetChange[] = [];
    for (const [key, ref] of affected) {
      const wanted = (setCounts.get(key) ?? 0) > 0;
      if (!wanted) setCounts.delete(key);
      if (wanted === open.has(key)) continue;
      if (wanted) open.set(key, ref);
      else open.delete(key);
      if (ref.kind === 'ranges') changes.push(rangesChange(key, ref, wanted));
      else if (ref.kind === 'nodes') {
        if (wanted) nodeSets.open(key, ref.selector);
        else changes.push(nodeSets.close(key));
      } else if (wanted) podSets.open(key, ref);
      else changes.push(podSets.close(key));
    }
    return changes;
  };

  const resolve = (key: ChainKey): Active | undefined => {
    if ((counts.get(key) ?? 0) <= 0) return undefined;
    const { policy: name, direction } = splitChainKey(key);
    const policy = policies.get(name);
    if (policy === undefined) return undefined;
    const lowered = lowerPolicy(policy, direction);
    return {
      policy,
      lowered,
      allowOnly: lowered.chain.matches.every(({ action }) => action === 'allow'),
    };
  };

  return {
    count: (key, step) => {
      counts.set(key, (counts.get(key) ?? 0) + step);
      touched.add(key);
    },
    hasNonAllow: () => nonAllow > 0,
    drain: (changed) => {
      for (const policy of changed) {
        for (const direction of ['ingress', 'egress'] as const) {
          const key = chainKeyOf(policy, direction);
          if (active.has(key)) touched.add(key);
        }
      }
      const chains: Change<ChainKey, PolicyChain>[] = [];
      const affected = new Map<SetKey, SetRef>();
      let canRevoke = false;
      for (const key of touched) {
        const before = active.get(key);
        const after = resolve(key);
        if (after === undefined) counts.delete(key);
        if (before === undefined ? after === undefined : after !== undefined && sameChain(before, after)) continue;
        if (before !== undefined && after !== undefined) canRevoke = true;
        nonAllow += (after?.allowOnly === false ? 1 : 0) - (before?.allowOnly === false ? 1 : 0);
        countSets(after?.lowered, 1, affected);
        countSets(before?.lowered, -1, affected);
        if (after === undefined) active.delete(key);
        else active.set(key, after);
        chains.push({ key, value: after?.lowered.chain });
      }
      touched.clear();
      return { chains, sets: settleSets(affected), canRevoke };
    },
  };
}

const sameChain = (a: Active, b: Active): boolean =>
  a.policy === b.policy || JSON.stringify(a.lowered.chain) === JSON.stringify(b.lowered.chain);

function splitChainKey(key: ChainKey): { readonly policy: PolicyKey; readonly direction: Direction } {
  const at = key.indexOf(' ');
  return { direction: key.slice(0, at) === 'ingress' ? 'ingress' : 'egress', policy: key.slice(at + 1) as PolicyKey };
}

function rangesChange(key: SetKey, { ranges }: Extract<SetRef, { kind: 'ranges' }>, exists: boolean): SetChange {
  return { kind: 'ranges', key, exists, added: exists ? ranges : [], removed: exists ? [] : ranges };
}
