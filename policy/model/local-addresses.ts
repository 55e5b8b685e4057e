// Addresses of the pods that have endpoints here: those that the endpoints have, and those that the status of the pods names.
import type { Ip } from '../../lib/ip.ts';
import type { PodRecord } from './records.ts';

export type LocalAddresses = {
  /** Whether an endpoint has it. */
  readonly isTaken: (ip: Ip) => boolean;
  /** An endpoint has others now. Returns the pods whose status names one that is taken since, or is not any more. */
  readonly replace: (before: readonly Ip[], after: readonly Ip[]) => Iterable<PodRecord>;
  /** The pod has other facts, its first endpoint, or no endpoint any more. */
  readonly noteStatus: (pod: PodRecord) => void;
};

export function createLocalAddresses(): LocalAddresses {
  // Two may have the same one for a moment.
  const counts = new Map<Ip, number>();
  const namesakes = new Map<Ip, readonly PodRecord[]>();
  const noted = new Map<PodRecord, readonly Ip[]>();
  return {
    isTaken: (ip) => counts.has(ip),
    replace: (before, after) => {
      const changed: Ip[] = [];
      for (const ip of after) {
        const count = counts.get(ip) ?? 0;
        counts.set(ip, count + 1);
        if (count === 0) changed.push(ip);
      }
      for (const ip of before) {
        const left = (counts.get(ip) ?? 0) - 1;
        if (left > 0) counts.set(ip, left);
        else {
          counts.delete(ip);
          changed.push(ip);
        }
      }
      return changed.flatMap((ip) => namesakes.get(ip) ?? []);
    },
    noteStatus: (pod) => {
      const before = noted.get(pod) ?? NONE;
      const after = pod.endpoints.length === 0 ? NONE : (pod.facts?.ips ?? NONE);
      if (before === after) return;
      for (const ip of before) {
        const left = namesakes.get(ip)?.filter((one) => one !== pod) ?? [];
        if (left.length > 0) namesakes.set(ip, left);
        else namesakes.delete(ip);
      }
      for (const ip of after) namesakes.set(ip, [...(namesakes.get(ip) ?? []), pod]);
      if (after.length === 0) noted.delete(pod);
      else noted.set(pod, after);
    },
  };
}

const NONE: readonly Ip[] = [];
