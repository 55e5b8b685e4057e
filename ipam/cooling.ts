// Released addresses rest for a while before somebody else gets one, so that nobody's late packets reach a new pod. Time
// is measured from the release, by a clock that does not jump; what was released before the agent started begins anew.
import type { Ip } from '../lib/ip.ts';

export type Cooling = {
  readonly begin: (ips: readonly Ip[]) => void;
  /** Somebody has the address. */
  readonly end: (ip: Ip) => void;
  readonly has: (ip: Ip) => boolean;
  readonly count: (which: (ip: Ip) => boolean) => number;
};

/** `cooldownMs` is asked at each look, so that another setting holds at once; `nowMs` is monotonic. */
export function createCooling(cooldownMs: () => number, nowMs: () => number): Cooling {
  const since = new Map<Ip, number>();
  const isWarm = (begun: number | undefined): boolean => begun !== undefined && nowMs() - begun < cooldownMs();
  return {
    begin: (ips) => {
      for (const ip of ips) since.set(ip, nowMs());
    },
    end: (ip) => {
      since.delete(ip);
    },
    has: (ip) => isWarm(since.get(ip)),
    count: (which) => {
      let count = 0;
      for (const [ip, begun] of since) if (isWarm(begun) && which(ip)) count++;
      return count;
    },
  };
}
