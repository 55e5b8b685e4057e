// The policy generation: a number in the upper half of the conntrack mark. An established flow stays on the fast path
// only while its mark carries the generation in force, so a new generation has every flow judged once more.
import type { Brand } from '../../../lib/brand.ts';
import type { NftObject } from '../../../lib/nftables/ast.ts';
import { err, ok, type Result } from '../../../lib/result.ts';
import { CHAINS } from './names.ts';

/** 1 to 65534. 0 is what a flow carries that was never judged, 65535 what a revoked one carries. */
export type Generation = Brand<number, 'Generation'>;

/** Bits of the conntrack mark that hold the generation; the lower half belongs to others. */
export const GENERATION_MASK = 0xffff_0000;

const LAST = 0xfffe;

/** In place of a generation: policy denies this flow, and what its other side still sends are no replies. */
export const REVOKED = 0xffff;

/** The first generation of a node that never had one. */
export const FIRST_GENERATION = 1 as Generation;

export function parseGeneration(value: number): Result<Generation> {
  if (Number.isInteger(value) && value >= 1 && value <= LAST) return ok(value as Generation);
  return err(`Cannot use policy generation "${value}": expected an integer from 1 to ${LAST}`);
}

/** The one after; 65534 is followed by 1. */
export const nextGeneration = (generation: Generation): Generation =>
  (generation >= LAST ? 1 : generation + 1) as Generation;

/** Its place in the conntrack mark. */
export const generationMark = (generation: Generation | typeof REVOKED): number => generation * 0x1_0000;

/**
 * The generation that a table carries, from its stamping rules; absent when there are none. A restarted agent goes on
 * from the one after it, so that nothing judged before it went down is taken for granted.
 */
export function generationOf(objects: Iterable<NftObject>): Generation | undefined {
  for (const object of objects) {
    if (object.kind !== 'chain' || object.name !== CHAINS.stamp) continue;
    for (const { statements } of object.rules) {
      for (const statement of statements) {
        if (statement.kind !== 'set-ct-mark') continue;
        const parsed = parseGeneration(Math.floor(statement.value / 0x1_0000));
        if (parsed.ok) return parsed.value;
      }
    }
  }
  return undefined;
}
