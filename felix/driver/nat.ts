// Keeps the table of address translation as pools and BGP want it: written whole in one atomic batch when it differs, tried
// again with backoff, repaired when somebody else changed it. Established translations are the kernel's and stay.
import { isDeepStrictEqual } from 'node:util';
import type { Log } from '../../lib/log.ts';
import type { NftKey, NftObject } from '../../lib/nftables/ast.ts';
import { type NatInput, natObjects } from '../render/nat.ts';
import { createRepairPace } from '../repair-pace.ts';
import type { NftDriver } from './nftables.ts';

export type NatDriver = {
  /** What there is at the moment, from the first complete snapshot on. Cheap when it is the same. */
  readonly update: (input: NatInput) => void;
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
  let seen: NatInput | undefined;
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
    update: (input) => {
      if (seen !== undefined && sameItems(input.pools, seen.pools) && sameItems(input.bgpPorts, seen.bgpPorts)) return;
      const isFirst = seen === undefined;
      seen = input;
      const objects = natObjects(input);
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

const sameItems = <T>(a: readonly T[], b: readonly T[]): boolean =>
  a === b || (a.length === b.length && a.every((item, i) => item === b[i]));

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
