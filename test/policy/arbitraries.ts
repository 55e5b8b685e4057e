// Random worlds, small enough that everything meets everything: few names, few labels, few addresses.
import fc from 'fast-check';
import {
  type ClusterNetworkPolicy,
  clusterNetworkPolicySchema,
} from '../../datastore/resources/cluster-network-policy.ts';
import type { NetworkPolicy } from '../../datastore/resources/network-policy.ts';
import { networkPolicySchema } from '../../datastore/resources/network-policy.ts';
import { type Ip, parseIp } from '../../lib/ip.ts';
import { hostIfName, type IfName } from '../../lib/linux/if-name.ts';
import { unwrap } from '../../lib/result.ts';
import type { PolicyResource } from '../../policy/convert/policy.ts';
import type { Endpoint } from '../../policy/model/types.ts';
import type { Packet, PacketEnd } from '../../policy/oracle.ts';
import type { Labels } from '../../policy/selector.ts';
import { type NodeFacts, type PodFacts, podKey } from '../../policy/world.ts';

export const NAMESPACES = ['shop', 'monitoring', 'kube-system'] as const;
export const PODS = ['a', 'b', 'c'] as const;
export const NODES = ['node1', 'node2'] as const;

/** IPv4 addresses of pods, and the IPv6 ones with the same last number. */
export const podIp = (index: number): Ip => unwrap(parseIp(`10.244.${index % 3}.${index}`));
export const podIp6 = (index: number): Ip => unwrap(parseIp(`fd00:10:244::${index}`));

const key = fc.constantFrom('app', 'tier', 'constructor');
const value = fc.constantFrom('web', 'db', '');

export const labels: fc.Arbitrary<Labels> = fc.dictionary(key, value, { maxKeys: 2 });

const namespace = fc.constantFrom(...NAMESPACES);
const pod = fc.constantFrom(...PODS);
const index = fc.integer({ min: 1, max: 9 });

export const ips: fc.Arbitrary<readonly Ip[]> = fc.oneof(
  { weight: 1, arbitrary: fc.constant([]) },
  { weight: 4, arbitrary: index.map((n) => [podIp(n)]) },
  { weight: 3, arbitrary: index.map((n) => [podIp(n), podIp6(n)]) },
);

export const nodeFacts: fc.Arbitrary<NodeFacts> = fc.record({
  labels,
  ips: fc
    .uniqueArray(fc.constantFrom('198.51.100.1', '198.51.100.2', '10.244.1.1', '2001:db8::1'), { maxLength: 2 })
    .map((texts) => texts.map((text) => unwrap(parseIp(text)))),
});

const uid = fc.constantFrom('one', 'two', undefined);

export const podFacts: fc.Arbitrary<PodFacts> = fc
  .record({
    namespace,
    name: pod,
    labels,
    ips,
    uid,
    ports: fc.array(
      fc.record({
        name: fc.constantFrom('http', 'metrics'),
        protocol: fc.constantFrom('tcp' as const, 'udp' as const, 'sctp' as const),
        port: fc.constantFrom(80, 81),
      }),
      { maxLength: 2 },
    ),
    hostNetwork: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
    finished: fc.integer({ min: 0, max: 9 }).map((n) => n === 0),
  })
  .map(({ uid: one, ...facts }) => ({ ...facts, ...(one !== undefined && { uid: one }) }));

export const endpoint: fc.Arbitrary<readonly [IfName, Endpoint]> = fc
  .record({ namespace, pod, ips, uid })
  .map(({ uid: one, ...rest }) => [
    hostIfName(rest.namespace, rest.pod),
    { ...rest, ...(one !== undefined && { uid: one }) },
  ]);

const expression = fc.oneof(
  fc.record({ key, operator: fc.constantFrom('In', 'NotIn'), values: fc.array(value, { minLength: 1, maxLength: 2 }) }),
  fc.record({ key, operator: fc.constantFrom('Exists', 'DoesNotExist') }),
);

// Often the same few, so that policies share sets.
const selector = fc.oneof(
  fc.constantFrom({}, { matchLabels: { app: 'web' } }),
  fc.record({ matchLabels: labels }),
  fc.record({ matchLabels: labels, matchExpressions: fc.array(expression, { maxLength: 2 }) }),
);

const namespaceSelector = fc.oneof(
  selector,
  namespace.map((name) => ({ matchLabels: { 'kubernetes.io/metadata.name': name } })),
);

const peer = fc.oneof(
  fc.record({ podSelector: selector }),
  fc.record({ namespaceSelector }),
  fc.record({ podSelector: selector, namespaceSelector }),
  fc.constantFrom(
    { ipBlock: { cidr: '0.0.0.0/0' } },
    { ipBlock: { cidr: '::/0', except: ['fd00:10:244::4/126'] } },
    { ipBlock: { cidr: '10.244.1.0/24', except: ['10.244.1.4/30'] } },
    { ipBlock: { cidr: '10.244.0.0/16', except: ['10.244.1.0/24', '10.244.2.8/32'] } },
    { ipBlock: { cidr: '203.0.113.0/24' } },
    { ipBlock: { cidr: 'fd00:10:244::/124' } },
  ),
);

const port = fc.oneof(
  fc.constantFrom({}, { port: 80 }, { port: 'http' }, { port: 80, endPort: 82 }),
  fc.record({ protocol: fc.constantFrom('TCP', 'UDP', 'SCTP') }),
  fc.record({ protocol: fc.constantFrom('TCP', 'UDP', 'SCTP'), port: fc.constantFrom(80, 81, 'http', 'metrics') }),
);

const rule = (peers: 'from' | 'to') =>
  fc.record(
    { [peers]: fc.array(peer, { maxLength: 3 }), ports: fc.array(port, { maxLength: 3 }) },
    { requiredKeys: [] },
  );

export const networkPolicy: fc.Arbitrary<NetworkPolicy> = fc
  .record({
    metadata: fc.record({ name: fc.constantFrom('p', 'q', 'r'), namespace }),
    spec: fc.record(
      {
        podSelector: selector,
        policyTypes: fc.constantFrom(['Ingress'], ['Egress'], ['Ingress', 'Egress']),
        ingress: fc.array(rule('from'), { maxLength: 2 }),
        egress: fc.array(rule('to'), { maxLength: 2 }),
      },
      { requiredKeys: ['podSelector'] },
    ),
  })
  .map((object) => networkPolicySchema.parse({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', ...object }));

const pods = fc.record({ podSelector: selector, namespaceSelector: selector }, { requiredKeys: ['podSelector'] });

const podsOrNamespaces = fc.oneof(fc.record({ namespaces: namespaceSelector }), fc.record({ pods }));

// The last one is of a kind that nobody knows.
const ingressPeer = fc.oneof(
  { weight: 20, arbitrary: podsOrNamespaces },
  fc.constantFrom({}, { networks: ['0.0.0.0/0'] }, { galaxies: {} }),
);

const nodesOrNetworks = fc.oneof(
  fc.record({ nodes: selector }),
  fc.record({
    networks: fc.uniqueArray(
      fc.constantFrom('0.0.0.0/0', '::/0', '10.244.1.0/24', '203.0.113.0/24', 'fd00:10:244::/124'),
      {
        minLength: 1,
        maxLength: 2,
      },
    ),
  }),
);

const strangePeer = fc.constantFrom({}, { domainNames: ['example.org'] }, { galaxies: {} });

const transport = fc.constantFrom(
  {},
  { destinationPort: { number: 80 } },
  { destinationPort: { range: { start: 80, end: 82 } } },
);

const numbered = fc.oneof(fc.record({ tcp: transport }), fc.record({ udp: transport }), fc.record({ sctp: transport }));

const named = fc.record({ destinationNamedPort: fc.constantFrom('http', 'metrics') });

const strangeProtocol = fc.constantFrom({}, { icmp: { type: 8 } }, { tcp: { sourcePort: { number: 1 } } });

const protocols = (arbitrary: fc.Arbitrary<object>) =>
  fc.option(fc.array(fc.oneof({ weight: 20, arbitrary }, strangeProtocol), { minLength: 1, maxLength: 2 }), {
    nil: undefined,
  });

const action = fc.constantFrom('Accept', 'Deny', 'Pass');

const list = (arbitrary: fc.Arbitrary<object>) => fc.array(arbitrary, { minLength: 1, maxLength: 2 });

// A rule with named ports has no peers that name none.
const egressPeers = fc.oneof(
  fc.record({ to: list(podsOrNamespaces), protocols: protocols(fc.oneof(numbered, named)) }),
  fc.record({
    to: list(
      fc.oneof({ weight: 9, arbitrary: nodesOrNetworks }, { weight: 9, arbitrary: podsOrNamespaces }, strangePeer),
    ),
    protocols: protocols(numbered),
  }),
);

export const clusterNetworkPolicy: fc.Arbitrary<ClusterNetworkPolicy> = fc
  .record({
    metadata: fc.record({ name: fc.constantFrom('x', 'y', 'z') }),
    spec: fc.record(
      {
        tier: fc.constantFrom('Admin', 'Baseline'),
        priority: fc.integer({ min: 0, max: 2 }),
        subject: podsOrNamespaces,
        ingress: fc.array(
          fc
            .record({ action, from: list(ingressPeer), protocols: protocols(fc.oneof(numbered, named)) })
            .map(withoutAbsent),
          { maxLength: 3 },
        ),
        egress: fc.array(
          fc.record({ action, rest: egressPeers }).map(({ rest, ...rule }) => withoutAbsent({ ...rule, ...rest })),
          { maxLength: 3 },
        ),
      },
      { requiredKeys: ['tier', 'priority', 'subject'] },
    ),
  })
  .map((object) =>
    clusterNetworkPolicySchema.parse({
      apiVersion: 'policy.networking.k8s.io/v1alpha2',
      kind: 'ClusterNetworkPolicy',
      ...object,
    }),
  );

/** A policy of any kind. */
export const policyResource: fc.Arbitrary<PolicyResource> = fc.oneof(networkPolicy, clusterNetworkPolicy);

function withoutAbsent(object: Readonly<Record<string, unknown>>): object {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined));
}

/** The nodes of a world. */
export const worldNodes = fc
  .tuple(...NODES.map((name) => nodeFacts.map((facts) => ({ name, ...facts }))))
  .map((list) => ({
    nodes: new Map(list.map(({ name, ips }) => [name, ips])),
    nodeLabels: new Map(list.map(({ name, labels: own }) => [name, own])),
  }));

const end: fc.Arbitrary<PacketEnd> = fc.oneof(
  {
    weight: 4,
    arbitrary: podFacts.map(({ namespace, name }): PacketEnd => ({ pod: podKey(namespace, name) })),
  },
  fc
    .constantFrom('203.0.113.9', '10.245.0.1', '198.51.100.1', '2001:db8::1', '2001:db8::9')
    .map((text): PacketEnd => ({ ip: unwrap(parseIp(text)) })),
);

/** Between pods, and addresses of nodes and of nobody. */
export const randomPacket: fc.Arbitrary<Packet> = fc
  .record({
    from: end,
    to: end,
    service: fc.constantFrom(
      { protocol: 'icmp' as const },
      ...(['tcp', 'udp', 'sctp'] as const).flatMap((protocol) =>
        [79, 80, 81, 82, 83].map((port) => ({ protocol, port })),
      ),
    ),
    family: fc.constantFrom(4 as const, 6 as const),
    hairpin: fc.boolean(),
  })
  .map(({ service, hairpin, ...rest }) => ({ ...rest, ...service, ...(hairpin && { hairpin }) }));
