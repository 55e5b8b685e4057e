// Why an address could not be assigned, in words for the one who waits for it.
import type { Cidr } from '../lib/cidr.ts';
import type { Family, Ip } from '../lib/ip.ts';
import type { ClaimOutcome } from './claim-block.ts';
import type { AssignOutcome } from './ipam.ts';
import type { PoolChoice } from './model/choose-pools.ts';

export type Refusal = Exclude<AssignOutcome, { kind: 'assigned' }>;

export function noPool(family: Family, refused: PoolChoice['refused']): Refusal & { kind: 'no-pool' } {
  const found = refused.length === 0 ? 'there is none' : `none serves this pod${listed(refused)}`;
  return {
    kind: 'no-pool',
    why: `Cannot assign an IPv${family} address: ${found}, expected an enabled IPPool of that family`,
  };
}

export const noPoolWith = (ip: Ip, refused: PoolChoice['refused']): Refusal => ({
  kind: 'no-pool',
  why: `Cannot assign address "${ip}": no IPPool that serves pods has it${listed(refused)}`,
});

export const takenBy = (ip: Ip, by: string): Refusal => ({
  kind: 'taken',
  ip,
  by,
  why: `Cannot assign address "${ip}": ${by} has it, expected a free address`,
});

export const stillCooling = (ip: Ip): Refusal => ({
  kind: 'unavailable',
  why: `Cannot assign address "${ip}": another pod had it until lately, expected one that has cooled down`,
});

export const inDoubt = (ip: Ip, block: Cidr): Refusal => ({
  kind: 'unavailable',
  why: `Cannot assign address "${ip}": its block "${block}" may be another node's by now, and has to be compared with the datastore first`,
});

/** `why`: that of the refusal without the resting addresses. */
export const coolingDown = (why: string, resting: number): Refusal => ({
  kind: 'unavailable',
  why: `${why}; ${resting} released addresses cool down and are free soon`,
});

export const tooManyBlocks = (family: Family, most: number, pools: readonly string[]): Refusal => ({
  kind: 'exhausted',
  pools,
  why: `Cannot assign an IPv${family} address: the blocks of this node are full, and it has ${most}, the most that IPAMConfiguration "default" allows`,
});

export type ClaimCircumstances = {
  readonly family: Family;
  /** The requested address that the claim was for. */
  readonly around?: Ip | undefined;
  /** What the node had of these pools before the claim. */
  readonly own: 'no-block' | 'reserved-addresses' | 'full-blocks';
  /** There are reservations. */
  readonly someReserved: boolean;
};

const OWN = {
  'no-block': 'this node has no block',
  'reserved-addresses': 'in the blocks of this node only reserved addresses are left',
  'full-blocks': 'the blocks of this node are full',
} as const;

export function refusalOf(
  outcome: Exclude<ClaimOutcome, { kind: 'claimed' }>,
  { family, around, own, someReserved }: ClaimCircumstances,
): Refusal {
  switch (outcome.kind) {
    case 'exhausted': {
      const names = outcome.pools.map((name) => `"${name}"`).join(', ');
      return {
        kind: 'exhausted',
        pools: outcome.pools,
        why:
          `Cannot assign an IPv${family} address: ${OWN[own]} and IPPool ${names} has none left` +
          `${someReserved ? ' that is not reserved' : ''}, expected a free block` +
          strandedNote(outcome.stranded),
      };
    }
    case 'foreign':
      return around === undefined
        ? { kind: 'unavailable', why: `Cannot claim a block: node "${outcome.owner}" has it` }
        : takenBy(around, `node ${outcome.owner}`);
    case 'unavailable':
      return {
        kind: 'unavailable',
        why: `Cannot assign ${around === undefined ? `an IPv${family} address` : `address "${around}"`}: a new block is needed, and that failed: ${outcome.why}`,
      };
    default:
      return outcome satisfies never;
  }
}

const strandedNote = (stranded: readonly Cidr[]): string =>
  stranded.length === 0
    ? ''
    : `; ${stranded.join(', ')} of this node's name cannot be used, see "margay ipam check" for why`;

const listed = (refused: PoolChoice['refused']): string =>
  refused.length === 0 ? '' : ` (${refused.map(({ pool, why }) => `IPPool "${pool}": ${why}`).join('; ')})`;
