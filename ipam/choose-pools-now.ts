// The pools that serve a pod at the moment. A choice is kept as long as pools and labels are the same objects, so that
// an assignment does not pay for it.
import type { IpPool } from '../datastore/resources/ip-pool.ts';
import type { Labels } from '../lib/selector/types.ts';
import { choosePools, type PoolChoice, type PoolQuery } from './model/choose-pools.ts';

export type PoolSource = {
  /** The pools of the moment. */
  readonly pools: () => readonly IpPool[];
  /** The node's labels of the moment. Absent: none. */
  readonly nodeLabels?: () => Labels;
  /** The labels of a namespace; `undefined`: it is not known. Absent: none is. */
  readonly namespaceLabels?: (namespace: string) => Labels | undefined;
};

/** `namespace` absent: for the node itself, before there is a pod. */
export type PoolChooser = (ask: Pick<PoolQuery, 'family' | 'want'> & { readonly namespace?: string }) => PoolChoice;

/** Choices that are kept; more are forgotten together. */
const MOST_KEPT = 500;

export function createPoolChooser({ pools, nodeLabels = noLabels, namespaceLabels }: PoolSource): PoolChooser {
  let seen: readonly IpPool[] = [];
  let seenLabels: Labels = NONE;
  let asksNamespace = false;
  const choices = new Map<string, PoolChoice>();
  return ({ family, want, namespace }) => {
    const current = pools();
    const labels = nodeLabels();
    if (labels !== seenLabels || current.length !== seen.length || current.some((pool, i) => pool !== seen[i])) {
      seen = [...current];
      seenLabels = labels;
      asksNamespace = current.some(({ spec }) => spec.namespaceSelector !== undefined);
      choices.clear();
    }
    const ofNamespace = asksNamespace && namespace !== undefined ? namespaceLabels?.(namespace) : undefined;
    const key = JSON.stringify([family, want, ofNamespace]);
    const known = choices.get(key);
    if (known !== undefined) return known;
    const choice = choosePools(current, { family, want, nodeLabels: labels, namespaceLabels: ofNamespace });
    if (choices.size >= MOST_KEPT) choices.clear();
    choices.set(key, choice);
    return choice;
  };
}

const NONE: Labels = {};
const noLabels = (): Labels => NONE;
