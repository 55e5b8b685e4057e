// Sees to it that this node has an address block before its next pod comes. What cannot be claimed now may be had later
// without any event: the datastore answers again, or another node gives a block back.
import type { FirstBlockOutcome, Ipam } from '../ipam/ipam.ts';

export type BlockSupply = {
  /** Claims what is missing; if that fails, again and again. Cheap when nothing is missing. */
  readonly secure: () => Promise<void>;
  /** Why a block could not be claimed the last time. */
  readonly problem: () => string | undefined;
  /** No pool serves every pod: a block is claimed when a pod comes that has one. */
  readonly isOnDemand: () => boolean;
};

/** In milliseconds; doubled up to the second figure. */
const RETRY_MS = { first: 1000, most: 60_000 } as const;

export function createBlockSupply(ipam: Pick<Ipam, 'claimFirstBlock'>, signal: AbortSignal): BlockSupply {
  let outcome: FirstBlockOutcome = { kind: 'ready' };
  let retryMs: number = RETRY_MS.first;
  let timer: NodeJS.Timeout | undefined;
  const problem = (): string | undefined => ('why' in outcome ? outcome.why : undefined);
  const secure = async (): Promise<void> => {
    outcome = await ipam.claimFirstBlock();
    clearTimeout(timer);
    if (problem() === undefined) retryMs = RETRY_MS.first;
    else if (!signal.aborted) {
      timer = setTimeout(() => void secure(), retryMs);
      retryMs = Math.min(retryMs * 2, RETRY_MS.most);
    }
  };
  signal.addEventListener('abort', () => clearTimeout(timer), { once: true });
  return { secure, problem, isOnDemand: () => outcome.kind === 'on-demand' };
}
