// Random worlds, small enough that everything meets everything: few names, few labels, few addresses.
import fc from 'fast-check';
import type { NetworkPolicy } from '../../datastore/resources/network-policy.ts';
import { networkPolicySchema } from '../../datastore/resources/network-policy.ts';
import { type Ip, parseIp } from '../../lib/ip.ts';
import { hostIfName, type IfName } from '../../lib/linux/if-name.ts';
import { unwrap } from '../../lib/result.ts';
import type { Endpoint } from '../../policy/model/types.ts';
import type { Labels } from '../../policy/selector.ts';
import type { PodFacts } from '../../policy/world.ts';

export const NAMESPACES = ['shop', 'monitoring', 'kube-system'] as const;
export const PODS = ['a', 'b', 'c'] as const;

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
