// The pools that serve this node at the moment. The choice is kept as long as pools and labels are the same objects, so
// that an assignment does not pay for it.
import type { IpPool } from '../datastore/resources/ip-pool.ts';
import type { Family } from '../lib/ip.ts';
import { choosePools, type Labels, type PoolChoice, type PoolQuery } from './model/choose-pools.ts';

export type PoolSource = {
  /** The pools of the moment. */
  readonly pools: () => readonly IpPool[];
  /** The node's labels of the moment. Absent: none. */
  readonly nodeLabels?: () => Labels;
  /** Evaluates a pool's nodeSelector. Absent: only `all()` selects. */
  readonly matches?: PoolQuery['matches'];
};

export type PoolChooser = (family: Family, purpose: PoolQuery['purpose']) => PoolChoice;

export function createPoolChooser({ pools, nodeLabels = () => NO_LABELS, matches }: PoolSource): PoolChooser {
  let seen: readonly IpPool[] = [];
  let seenLabels: Labels = NO_LABELS;
  const choices = new Map<string, PoolChoice>();
  return (family, purpose) => {
    const current = pools();
    const labels = nodeLabels();
    if (labels !== seenLabels || current.length !== seen.length || current.some((pool, i) => pool !== seen[i])) {
      seen = [...current];
      seenLabels = labels;
      choices.clear();
    }
    const key = `${family} ${purpose}`;
    const choice = choices.get(key) ?? choosePools(current, { family, purpose, nodeLabels: labels, matches });
    choices.set(key, choice);
    return choice;
  };
}

const NO_LABELS: Labels = {};
