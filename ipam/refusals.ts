// Why an address could not be assigned, in words for the one who waits for it.
import { type Cidr, cidrContains } from '../lib/cidr.ts';
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
  why: `Cannot assign address "${ip}": no IPPool that serves pods has it${listed(
    refused.filter(({ range }) => range !== undefined && cidrContains(range, ip)),
  )}`,
});

/** `who`: `by` in words. */
export const takenBy = (ip: Ip, by: string, who = by): Refusal => ({
  kind: 'taken',
  ip,
  by,
  why: `Cannot assign address "${ip}": ${who} has it, expected a free address`,
});

export const stillCooling = (ip: Ip): Refusal => ({
  kind: 'unavailable',
  why: `Cannot assign address "${ip}": another pod had it until lately, expected one that has cooled down`,
});

/** Why nothing is assigned from an own block. */
export type BlockDoubt = 'changed' | 'unreadable';

const DOUBT = {
  changed: "may be another node's by now, and has to be compared with the datastore first",
  unreadable: 'has an IPBlock that cannot be read, and may be the one of another node: repair that object',
} as const satisfies Record<BlockDoubt, string>;

export const inDoubt = (ip: Ip, block: Cidr, doubt: BlockDoubt): Refusal => ({
  kind: 'unavailable',
  why: `Cannot assign address "${ip}": its block "${block}" ${DOUBT[doubt]}`,
});

/** Without that doubt there might be an address. */
export const butForDoubt = (why: string, block: Cidr, doubt: BlockDoubt): Refusal => ({
  kind: 'unavailable',
  why: `${why}; block "${block}" ${DOUBT[doubt]}`,
});

/** `why`: that of the refusal without the resting addresses. */
export const coolingDown = (why: string, resting: number): Refusal => ({
  kind: 'unavailable',
  why: `${why}; ${resting} released addresses cool down and are free soon`,
});

/** What IPAMConfiguration forbids: any new block, or one more. */
export type ClaimLimit =
  | { readonly kind: 'none' }
  | { readonly kind: 'most'; readonly most: number; readonly has: number };

export function noNewBlock(
  limit: ClaimLimit,
  { family, around, own, pools }: Omit<ClaimCircumstances, 'someReserved'> & { readonly pools: readonly string[] },
): Refusal {
  const names = pools.map((name) => `"${name}"`).join(', ');
  const state = own === 'no-block' ? `this node has no block of IPPool ${names}` : OWN[own];
  const start =
    around === undefined
      ? `Cannot assign an IPv${family} address: ${state}`
      : `Cannot assign address "${around}": this node does not have its block`;
  const why =
    limit.kind === 'none'
      ? 'it claims no other with "autoAllocateBlocks" false in IPAMConfiguration "default"'
      : `it has ${limit.has} blocks, and "maxBlocksPerHost" of IPAMConfiguration "default" allows ${limit.most}`;
  return { kind: 'exhausted', pools, why: `${start}; ${why}` };
}

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
        : {
            kind: 'taken',
            ip: around,
            by: `node ${outcome.owner}`,
            why: `Cannot assign address "${around}": its block "${outcome.block}" is that of node "${outcome.owner}", expected a pod on that node`,
          };
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
