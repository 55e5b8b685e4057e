// Where a packet comes from and goes to in a world: which pod owns an address, and whose node it is. Indexed, so that
// whole tables of connections can be judged.
import { type Family, type Ip, ipFamily } from '../../lib/ip.ts';
import type { Protocol } from '../ir.ts';
import type { PacketEnd, World } from '../oracle.ts';
import { type NamedPort, ownsAddresses, type PodFacts, type PodKey, podKey } from '../world.ts';

/** An address, and the pod that it stands for; absent: a node, a pod in its node's network, or somebody outside. */
export type Place = { readonly ip: Ip; readonly pod: PodFacts | undefined };

export type Places = {
  /** The pod of that name, whatever became of it. */
  readonly pod: (key: PodKey) => PodFacts | undefined;
  /** Both ends in one family: the given one, else IPv4 where both have it, else IPv6. Absent: there is no such family. */
  readonly resolve: (
    from: PacketEnd,
    to: PacketEnd,
    family?: Family,
  ) => { readonly from: Place; readonly to: Place } | undefined;
  /** Whether the address is of the node that the pod runs on, or of a pod in that node's network. */
  readonly isOwnNode: (pod: PodFacts, ip: Ip) => boolean;
};

export function createPlaces(world: Pick<World, 'pods' | 'nodes'>): Places {
  const pods = new Map<PodKey, PodFacts>();
  const owners = new Map<Ip, PodFacts>();
  const nodeAddresses = new Map<string, Set<Ip>>();
  const addressesOf = (node: string): Set<Ip> => {
    const found = nodeAddresses.get(node) ?? new Set();
    nodeAddresses.set(node, found);
    return found;
  };
  for (const [node, ips] of world.nodes ?? []) for (const ip of ips) addressesOf(node).add(ip);
  for (const pod of world.pods) {
    pods.set(podKey(pod.namespace, pod.name), pod);
    for (const ip of pod.ips) {
      if (pod.hostNetwork && pod.node !== undefined) addressesOf(pod.node).add(ip);
      if (ownsAddresses(pod) && !owners.has(ip)) owners.set(ip, pod);
    }
  }

  const placeOf = (end: PacketEnd, family: Family): Place | undefined => {
    if ('ip' in end) return ipFamily(end.ip) === family ? { ip: end.ip, pod: owners.get(end.ip) } : undefined;
    const pod = pods.get(end.pod);
    const ip = pod?.finished === true ? undefined : pod?.ips.find((own) => ipFamily(own) === family);
    if (pod === undefined || ip === undefined) return undefined;
    return { ip, pod: pod.hostNetwork ? undefined : pod };
  };

  return {
    pod: (key) => pods.get(key),
    resolve: (from, to, family) => {
      for (const one of family === undefined ? ([4, 6] as const) : [family]) {
        const [source, target] = [placeOf(from, one), placeOf(to, one)];
        if (source !== undefined && target !== undefined) return { from: source, to: target };
      }
      return undefined;
    },
    isOwnNode: ({ node }, ip) => node !== undefined && (nodeAddresses.get(node)?.has(ip) ?? false),
  };
}

/** The port that a pod declares under a name, with any protocol or the given one; the first if it declares several. */
export const declaredPort = (
  pod: PodFacts | undefined,
  name: string,
  protocol: Protocol | undefined,
): NamedPort | undefined =>
  pod?.ports.find((own) => own.name === name && (protocol === undefined || own.protocol === protocol));
