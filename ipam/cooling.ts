// Released addresses rest for a while before somebody else gets one, so that nobody's late packets reach a new pod. Time
// is measured from the release, by a clock that does not jump; what was released before the agent started begins anew.
import type { Ip } from '../lib/ip.ts';

export type Cooling = {
  /** `pod`: whose they were, as `namespace/name`; absent: nobody knows. */
  readonly begin: (ips: readonly Ip[], pod?: string) => void;
  /** Somebody has the address. */
  readonly end: (ip: Ip) => void;
  /** For a pod that had the address itself, it does not rest. */
  readonly has: (ip: Ip, pod?: string) => boolean;
  readonly list: () => readonly Ip[];
  readonly count: (which: (ip: Ip) => boolean) => number;
};

/** `cooldownMs` is asked at each look, so that another setting holds at once; `nowMs` is monotonic. */
export function createCooling(cooldownMs: () => number, nowMs: () => number): Cooling {
  const since = new Map<Ip, { readonly begun: number; readonly pod: string | undefined }>();
  const isWarm = (begun: number): boolean => nowMs() - begun < cooldownMs();
  return {
    begin: (ips, pod) => {
      for (const ip of ips) since.set(ip, { begun: nowMs(), pod });
    },
    end: (ip) => {
      since.delete(ip);
    },
    has: (ip, pod) => {
      const rest = since.get(ip);
      return rest !== undefined && isWarm(rest.begun) && (pod === undefined || rest.pod !== pod);
    },
    list: () => [...since].flatMap(([ip, { begun }]) => (isWarm(begun) ? [ip] : [])),
    count: (which) => {
      let count = 0;
      for (const [ip, { begun }] of since) if (isWarm(begun) && which(ip)) count++;
      return count;
    },
  };
}
