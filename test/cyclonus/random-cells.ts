// What to send in a random world: between all pods, from a pod to itself by way of the node, and between pods and
// addresses outside, as far as the kernel can say something about it.
import type { Family, Ip } from '../../lib/ip.ts';
import { ipFamily, parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import type { Packet, PacketEnd, World } from '../../policy/oracle.ts';
import { podKey } from '../../policy/world.ts';
import type { Shot } from '../support/frames/prober.ts';
import { RANDOM_PODS } from './random-world.ts';

/** A packet, and the frame that is it. */
export type RandomCell = { readonly packet: Packet; readonly shot: Shot };

export type Service = Pick<Packet, 'protocol' | 'port'>;

const OUTSIDE = ['203.0.113.9', '10.245.0.1', '198.51.100.1', '2001:db8::1', '2001:db8::9'].map((text) =>
  unwrap(parseIp(text)),
);

/** All cells of the service and family. */
export function randomCells(world: World, service: Service, family: Family): readonly RandomCell[] {
  const ends = [...podEnds(world, family), ...outsideEnds(family)];
  const known = new Set<string>(world.pods.map(({ namespace, name }) => podKey(namespace, name)));
  // Policy does not look at what goes from outside to outside; and an unknown pod has no Service that leads to itself.
  const meet = (from: End, to: End): boolean =>
    to.mayReceive && (from === to ? known.has(to.name) : !(from.name === 'outside' && to.name === 'outside'));
  return ends.flatMap((from) =>
    ends
      .filter((to) => meet(from, to))
      .map((to): RandomCell => {
        const { protocol, port } = service;
        return {
          packet: { from: from.end, to: to.end, family, ...service, ...(from === to && { hairpin: true }) },
          shot: { from: from.name, to: to.name, saddr: from.ip, daddr: to.ip, protocol, dport: port ?? 0 },
        };
      }),
  );
}

type End = { readonly name: string; readonly end: PacketEnd; readonly ip: Ip; readonly mayReceive: boolean };

// A pod that the world does not know has its wiring nevertheless, and so has an address that it does not know. A pod of
// the host's network has no wiring that would stand for it.
function podEnds(world: World, family: Family): readonly End[] {
  return RANDOM_PODS.flatMap(({ namespace, name, ips }): End[] => {
    const key = podKey(namespace, name);
    const ip = ips.find((one) => ipFamily(one) === family);
    const facts = world.pods.find((pod) => podKey(pod.namespace, pod.name) === key);
    if (ip === undefined || facts?.hostNetwork) return [];
    return [{ name: key, end: { pod: key }, ip, mayReceive: facts === undefined || facts.ips.includes(ip) }];
  });
}

const outsideEnds = (family: Family): readonly End[] =>
  OUTSIDE.filter((ip) => ipFamily(ip) === family).map((ip) => ({
    name: 'outside',
    end: { ip },
    ip,
    mayReceive: true,
  }));
