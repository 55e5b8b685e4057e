// Packets that are denied: counted always, and told to a listener of nflog if that is wanted.
import type { CounterName, Rule, Statement } from '../../../lib/nftables/ast.ts';
import type { Direction } from '../../../policy/ir.ts';
import { countedBy, drop, rule } from './statements.ts';

/**
 * Denials go to the listeners of the nflog group (0 to 65535), at most so many of each rule in a second, with a few
 * more at once.
 */
export type LogDenied = { readonly group: number; readonly ratePerSecond: number };

/** NF_LOG_PREFIXLEN of the kernel without the final zero byte. */
const PREFIX_LIMIT = 127;
const BURST = 5;

/** The rule that logs, if any, in front of one that drops. `who` names what denies. */
export function logRules(
  conditions: readonly Statement[],
  {
    logDenied,
    direction,
    who,
  }: { readonly logDenied: LogDenied | undefined; readonly direction: Direction; readonly who: string },
): readonly Rule[] {
  if (logDenied === undefined) return [];
  const { group, ratePerSecond } = logDenied;
  const prefix = `${`margay denied ${direction}: ${who}`.slice(0, PREFIX_LIMIT - 1)} `;
  return [
    rule(
      ...conditions,
      { kind: 'limit', rate: ratePerSecond, per: 'second', burst: BURST },
      { kind: 'log', prefix, group },
    ),
  ];
}

/** Drops everything. */
export const dropAll = (counter: CounterName, log: Parameters<typeof logRules>[1]): readonly Rule[] => [
  ...logRules([], log),
  rule(countedBy(counter), drop),
];
