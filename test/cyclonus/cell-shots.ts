// Cells of a table of pods as frames to send.
import type { Family, Ip } from '../../lib/ip.ts';
import { ipFamily } from '../../lib/ip.ts';
import type { World } from '../../policy/oracle.ts';
import { podKey } from '../../policy/world.ts';
import type { Cell } from '../policy/cyclonus.ts';
import type { Shot } from '../support/frames/prober.ts';

/** From pod to pod, on a port of the second. */
export type PodCell = Pick<Cell, 'from' | 'to' | 'protocol' | 'port'>;

/** One frame for each cell, between the addresses of `family` that the pods have in the world. */
export function cellShots(world: World, cells: readonly PodCell[], family: Family): readonly Shot[] {
  const addresses = new Map(
    world.pods.map(({ namespace, name, ips }) => [podKey(namespace, name) as string, ips] as const),
  );
  const addressOf = (pod: string): Ip => {
    const ip = addresses.get(pod)?.find((one) => ipFamily(one) === family);
    if (ip === undefined) throw new Error(`Cannot send to pod "${pod}": it has no IPv${family} address`);
    return ip;
  };
  return cells.map(({ from, to, protocol, port }) => ({
    from,
    to,
    saddr: addressOf(from),
    daddr: addressOf(to),
    protocol,
    dport: port,
  }));
}
