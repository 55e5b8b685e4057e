// Which addresses endpoints have. Two may have the same one for a moment.
import type { Ip } from '../../lib/ip.ts';

export type TakenAddresses = {
  readonly has: (ip: Ip) => boolean;
  /** An endpoint has others now. Returns the addresses that are taken and were not, and those that are not any more. */
  readonly replace: (before: readonly Ip[], after: readonly Ip[]) => readonly Ip[];
};

export function createTakenAddresses(): TakenAddresses {
  const counts = new Map<Ip, number>();
  return {
    has: (ip) => counts.has(ip),
    replace: (before, after) => {
      const was = new Set([...before, ...after].filter((ip) => counts.has(ip)));
      for (const ip of after) counts.set(ip, (counts.get(ip) ?? 0) + 1);
      for (const ip of before) {
        const left = (counts.get(ip) ?? 0) - 1;
        if (left > 0) counts.set(ip, left);
        else counts.delete(ip);
      }
      return [...new Set([...before, ...after])].filter((ip) => was.has(ip) !== counts.has(ip));
    },
  };
}
