// Prints a verdict as nft(8) does.
import type { Verdict } from './ast.ts';

export const printVerdict = (verdict: Verdict): string =>
  'chain' in verdict ? `${verdict.kind} ${verdict.chain}` : verdict.kind;
