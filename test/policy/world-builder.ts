// Short descriptions of worlds and packets for tests.
import type { z } from 'zod';
import {
  type ClusterNetworkPolicy,
  clusterNetworkPolicySchema,
} from '../../datastore/resources/cluster-network-policy.ts';
import { type NetworkPolicy, networkPolicySchema } from '../../datastore/resources/network-policy.ts';
import { type Ip, parseIp } from '../../lib/ip.ts';
import { unwrap } from '../../lib/result.ts';
import type { PolicyResource } from '../../policy/convert/policy.ts';
import type { Protocol } from '../../policy/ir.ts';
import type { Packet, PacketEnd, World } from '../../policy/oracle.ts';
import type { Labels } from '../../policy/selector.ts';
import type { PodFacts, PodKey } from '../../policy/world.ts';

export type PodText = {
  readonly labels?: Labels;
  readonly ips?: readonly string[];
  /** `name=tcp/80` */
  readonly ports?: readonly string[];
  readonly node?: string;
  readonly hostNetwork?: true;
  readonly finished?: true;
};

export type WorldText = {
  readonly namespaces?: Readonly<Record<string, Labels>>;
  readonly pods: Readonly<Record<string, PodText>>;
  readonly policies?: readonly PolicyResource[];
  readonly nodes?: Readonly<Record<string, readonly string[]>>;
  readonly nodeLabels?: Readonly<Record<string, Labels>>;
};

/** A world. Pods are `namespace/name`; without `ips` they get 10.244.0.N and fd00:10:244::N, N from 10 in order. */
export function world({ namespaces, pods, policies = [], nodes = {}, nodeLabels = {} }: WorldText): World {
  const facts = Object.entries(pods).map(([key, text], index) => podOf(key, text, index + 10));
  const names = Object.fromEntries(facts.map(({ namespace }) => [namespace, {}]));
  return {
    namespaces: new Map(Object.entries(namespaces ?? names)),
    pods: facts,
    policies,
    nodes: new Map(Object.entries(nodes).map(([name, ips]) => [name, ips.map(ipOf)])),
    nodeLabels: new Map(Object.entries(nodeLabels)),
  };
}

/** A NetworkPolicy `namespace/name`; `podSelector` is empty unless given. */
export function policy(key: string, spec: Partial<z.input<typeof networkPolicySchema>['spec']> = {}): NetworkPolicy {
  const [namespace, name] = key.split('/');
  return networkPolicySchema.parse({
    apiVersion: 'networking.k8s.io/v1',
    kind: 'NetworkPolicy',
    metadata: { namespace, name },
    spec: { podSelector: {}, ...spec },
  });
}

/** A ClusterNetworkPolicy of the Admin tier, with priority 10 and of all pods unless given otherwise. */
export function clusterPolicy(
  name: string,
  spec: Partial<z.input<typeof clusterNetworkPolicySchema>['spec']> = {},
): ClusterNetworkPolicy {
  return clusterNetworkPolicySchema.parse({
    apiVersion: 'policy.networking.k8s.io/v1alpha2',
    kind: 'ClusterNetworkPolicy',
    metadata: { name },
    spec: { tier: 'Admin', priority: 10, subject: { namespaces: {} }, ...spec },
  });
}

/** `shop/web > 203.0.113.9 tcp/80`, `a/b > c/d udp/dns`, `a/b > c/d icmp`; trailing `v6` or `v4` gives the family, `hairpin` the way. */
export function packet(text: string): Packet {
  const [from = '', , to = '', service = '', ...more] = text.split(' ');
  const [protocol = '', port] = service.split('/');
  return {
    from: endOf(from),
    to: endOf(to),
    protocol: protocolOf(protocol),
    ...(port !== undefined && (/^\d+$/.test(port) ? { port: Number(port) } : { portName: port })),
    ...(more.includes('v6') && { family: 6 as const }),
    ...(more.includes('v4') && { family: 4 as const }),
    ...(more.includes('hairpin') && { hairpin: true as const }),
  };
}

function endOf(text: string): PacketEnd {
  const ip = parseIp(text);
  return ip.ok ? { ip: ip.value } : { pod: text as PodKey };
}

function podOf(key: string, text: PodText, number: number): PodFacts {
  const [namespace = '', name = ''] = key.split('/');
  return {
    namespace,
    name,
    labels: text.labels ?? {},
    ips: (text.ips ?? [`10.244.0.${number}`, `fd00:10:244::${number}`]).map(ipOf),
    ports: (text.ports ?? []).map((port) => {
      const [, portName = '', protocol = '', value] = /^(.*)=(.*)\/(\d+)$/.exec(port) ?? [];
      return { name: portName, protocol: transportOf(protocol), port: Number(value) };
    }),
    ...(text.node !== undefined && { node: text.node }),
    hostNetwork: text.hostNetwork ?? false,
    finished: text.finished ?? false,
  };
}

const ipOf = (text: string): Ip => unwrap(parseIp(text));

const protocolOf = (text: string): Packet['protocol'] => (text === 'icmp' ? text : transportOf(text));

function transportOf(text: string): Protocol {
  if (text === 'tcp' || text === 'udp' || text === 'sctp') return text;
  throw new Error(`Cannot read protocol "${text}": expected tcp, udp or sctp`);
}
