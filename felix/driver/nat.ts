// Keeps the table of address translation as the pools want it: written whole in one atomic batch when it differs, tried
// again with backoff, repaired when somebody else changed it. Established translations are the kernel's and stay.
import { isDeepStrictEqual } from 'node:util';
import type { IpPool } from '../../datastore/resources/ip-pool.ts';
import type { Log } from '../../lib/log.ts';
import type { NftKey, NftObject } from '../../lib/nftables/ast.ts';
import { natObjects } from '../render/nat.ts';
import { createRepairPace } from '../repair-pace.ts';
import type { NftDriver } from './nftables.ts';

export type NatDriver = {
  /** The pools of the moment, from the first complete snapshot on. Cheap when they are the same. */
  readonly update: (pools: readonly IpPool[]) => void;
  /** Reads the kernel again soon and repairs what differs. Calls in between are one. */
  readonly verifySoon: () => void;
  /** What is not in the kernel now, as sentences. */
  readonly failures: () => readonly string[];
  readonly close: () => void;
};

/** Delay before trying again, in milliseconds; doubled up to the second figure. */
const RETRY_MS = { first: 200, most: 30_000 } as const;

export function createNatDriver(nft: NftDriver, log: Log): NatDriver {
  const pace = createRepairPace();
  let seen: readonly IpPool[] | undefined;
  let wanted: ReadonlyMap<NftKey, NftObject> | undefined;
  let failure: string | undefined;
  let retryMs: number = RETRY_MS.first;
  let retry: NodeJS.Timeout | undefined;
  let look: NodeJS.Timeout | undefined;

  /** Whether something had to be written. */
  const bringAbout = (): boolean => {
    if (wanted === undefined || isThere(nft, wanted)) return false;
    nft.replace(wanted);
    return true;
  };
  const attempt = (): boolean => {
    clearTimeout(retry);
    try {
      const written = bringAbout();
      failure = undefined;
      retryMs = RETRY_MS.first;
      return written;
    } catch (error) {
      failure = error instanceof Error ? error.message : String(error);
      log.error({ err: error, retryMs }, 'address translation not written; what the kernel had stands');
      retry = setTimeout(attempt, retryMs);
      retryMs = Math.min(retryMs * 2, RETRY_MS.most);
      return false;
    }
  };

  return {
    update: (pools) => {
      if (seen !== undefined && pools.length === seen.length && pools.every((pool, i) => pool === seen?.[i])) return;
      const isFirst = seen === undefined;
      seen = pools;
      const objects = natObjects(pools);
      if (isDeepStrictEqual(objects, wanted)) return;
      wanted = objects;
      if (isFirst) takeOver(nft, log);
      attempt();
    },
    verifySoon: () => {
      look ??= setTimeout(() => {
        look = undefined;
        const began = performance.now();
        const repaired = attempt();
        if (repaired) log.warn('address translation was changed by somebody else, replaced it');
        pace.looked({ began, now: performance.now(), repaired });
      }, pace.delayMs(performance.now()));
    },
    failures: () => (failure === undefined ? [] : [failure]),
    close: () => {
      clearTimeout(retry);
      clearTimeout(look);
    },
  };
}

function takeOver(nft: NftDriver, log: Log): void {
  try {
    nft.takeOver();
  } catch (error) {
    log.error({ err: error }, 'cannot take over the table of address translation');
  }
}

// A node without translation needs no table.
const isThere = (nft: NftDriver, wanted: ReadonlyMap<NftKey, NftObject>): boolean =>
  wanted.size === 0 ? (nft.read()?.objects.size ?? 0) === 0 : nft.holds(wanted);
