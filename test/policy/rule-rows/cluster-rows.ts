// What ClusterNetworkPolicy asks for: tiers, priorities, actions, peers and ports, and what must stay closed.
import { clusterPolicy, policy, world } from '../world-builder.ts';
import { db, isDb, isWeb, type RuleRow, shop, three, web } from './shop.ts';

const anyone = [{ namespaces: {} }];
const inShop = { namespaces: { matchLabels: { 'kubernetes.io/metadata.name': 'shop' } } };
const webPods = [{ pods: { namespaceSelector: {}, podSelector: isWeb } }];
const dbPods = { pods: { namespaceSelector: {}, podSelector: isDb } };
const everywhere = [{ networks: ['0.0.0.0/0', '::/0'] }];
const denyIn = { action: 'Deny', from: anyone } as const;
const denyAll = policy('shop/deny', {});

export const CLUSTER_ROWS: readonly RuleRow[] = [
  {
    name: 'cnp: Admin comes before NetworkPolicy, for connections that it matches',
    given: shop(
      policy('shop/open', { ingress: [{}] }),
      clusterPolicy('a', { subject: inShop, ingress: [{ action: 'Deny', from: webPods }] }),
    ),
    expected: {
      'shop/web > shop/db tcp/80': 'deny',
      'shop/web > mon/prom tcp/80': 'allow',
      'mon/prom > shop/db tcp/80': 'allow',
      '203.0.113.9 > shop/db tcp/80': 'allow',
    },
  },
  {
    name: 'cnp: Admin Accept ends the question for its side only',
    given: shop(
      policy('shop/deny', { policyTypes: ['Ingress', 'Egress'] }),
      clusterPolicy('a', { subject: dbPods, ingress: [{ action: 'Accept', from: anyone }] }),
    ),
    expected: {
      'mon/prom > shop/db tcp/80': 'allow',
      'shop/web > shop/db tcp/80': 'deny',
      '203.0.113.9 > shop/db tcp/80': 'deny',
    },
  },
  {
    name: 'cnp: the lower number has precedence, of equal ones the name',
    given: shop(
      clusterPolicy('z', { priority: 1, subject: dbPods, ingress: [{ action: 'Accept', from: webPods }] }),
      clusterPolicy('a', { priority: 2, subject: dbPods, ingress: [denyIn] }),
      clusterPolicy('c', { priority: 5, subject: inShop, egress: [{ action: 'Deny', to: everywhere }] }),
      clusterPolicy('b', {
        priority: 5,
        subject: inShop,
        egress: [{ action: 'Accept', to: everywhere, protocols: [{ tcp: { destinationPort: { number: 80 } } }] }],
      }),
    ),
    expected: {
      'shop/web > shop/db tcp/80': 'allow',
      'mon/prom > shop/db tcp/80': 'deny',
      'shop/web > mon/prom tcp/80': 'allow',
      'shop/web > mon/prom tcp/81': 'deny',
    },
  },
  {
    name: 'cnp: the first rule that matches decides',
    given: shop(
      clusterPolicy('a', { subject: dbPods, ingress: [{ action: 'Accept', from: webPods }, denyIn] }),
      clusterPolicy('b', { priority: 11, subject: dbPods, ingress: [{ action: 'Accept', from: anyone }] }),
    ),
    expected: { 'shop/web > shop/db tcp/80': 'allow', 'mon/prom > shop/db tcp/80': 'deny' },
  },
  {
    name: 'cnp: Pass skips the rest of the Admin tier, not NetworkPolicy',
    given: shop(
      clusterPolicy('a', { priority: 1, subject: inShop, ingress: [{ action: 'Pass', from: webPods }] }),
      clusterPolicy('b', { priority: 2, subject: inShop, ingress: [denyIn] }),
      policy('shop/db', { podSelector: isDb, ingress: [{ ports: [{ port: 5432 }] }] }),
    ),
    expected: {
      'shop/web > shop/db tcp/5432': 'allow',
      'shop/web > shop/db tcp/80': 'deny',
      'mon/prom > shop/db tcp/5432': 'deny',
      '203.0.113.9 > shop/db tcp/5432': 'allow',
    },
  },
  {
    name: 'cnp: who passes the Admin tier, and is selected by no NetworkPolicy, meets the Baseline',
    given: shop(
      clusterPolicy('a', { subject: inShop, ingress: [{ action: 'Pass', from: webPods }, denyIn] }),
      clusterPolicy('base', { tier: 'Baseline', subject: inShop, ingress: [denyIn] }),
      policy('shop/web', { podSelector: isWeb, ingress: [{}] }),
    ),
    expected: {
      'shop/web > shop/db tcp/80': 'deny',
      '203.0.113.9 > shop/db tcp/80': 'allow',
      'shop/db > shop/web tcp/80': 'deny',
      '203.0.113.9 > shop/web tcp/80': 'allow',
    },
  },
  {
    name: 'cnp: NetworkPolicy has the last word for pods that it selects, whatever the Baseline says',
    given: shop(
      clusterPolicy('base', { tier: 'Baseline', ingress: [denyIn] }),
      policy('shop/web', { podSelector: isWeb, ingress: [{ from: [{ podSelector: {} }] }] }),
      denyAll,
    ),
    expected: {
      'shop/db > shop/web tcp/80': 'allow',
      'shop/web > shop/db tcp/80': 'deny',
      'shop/web > mon/prom tcp/80': 'deny',
      '203.0.113.9 > mon/prom tcp/80': 'allow',
    },
  },
  {
    name: 'cnp: Pass in the Baseline allows',
    given: shop(
      clusterPolicy('base', {
        tier: 'Baseline',
        subject: dbPods,
        ingress: [{ action: 'Pass', from: webPods }, denyIn],
      }),
    ),
    expected: { 'shop/web > shop/db tcp/80': 'allow', 'mon/prom > shop/db tcp/80': 'deny' },
  },
  {
    name: 'cnp: a policy without rules of a direction does not touch it',
    given: shop(clusterPolicy('a', { ingress: [], egress: [{ action: 'Deny', to: [inShop] }] })),
    expected: { 'mon/prom > shop/db tcp/80': 'deny', '203.0.113.9 > shop/db tcp/80': 'allow' },
  },
  {
    name: 'cnp: networks match pods, ICMP and their own family',
    given: shop(
      clusterPolicy('a', { subject: inShop, egress: [{ action: 'Deny', to: [{ networks: ['0.0.0.0/0'] }] }] }),
    ),
    expected: {
      'shop/web > shop/db tcp/80': 'deny',
      'shop/web > 203.0.113.9 icmp': 'deny',
      'shop/web > shop/db tcp/80 v6': 'allow',
      'shop/web > 2001:db8::9 icmp v6': 'allow',
    },
  },
  {
    name: 'cnp: nodes are peers by their labels, with all their addresses',
    given: world({
      pods: { 'shop/web': { ...web, node: 'one' }, 'shop/db': { ...db, node: 'one' } },
      nodes: { one: ['198.51.100.1', '2001:db8::1'], two: ['198.51.100.2'], three: ['198.51.100.3'] },
      nodeLabels: { one: { role: 'worker' }, two: { role: 'worker' }, three: {} },
      policies: [
        clusterPolicy('a', {
          subject: { pods: { podSelector: isWeb } },
          egress: [
            { action: 'Accept', to: [{ nodes: { matchLabels: { role: 'worker' } } }] },
            { action: 'Deny', to: [{ nodes: {} }], protocols: [{ tcp: { destinationPort: { number: 80 } } }] },
          ],
        }),
        policy('shop/deny', { policyTypes: ['Egress'] }),
      ],
    }),
    expected: {
      'shop/web > 198.51.100.1 tcp/80': 'allow',
      'shop/web > 2001:db8::1 tcp/80': 'allow',
      'shop/web > 198.51.100.2 udp/80': 'allow',
      'shop/web > 198.51.100.3 tcp/80': 'deny',
      'shop/web > 198.51.100.3 tcp/81': 'deny',
      'shop/db > 198.51.100.1 tcp/80': 'deny',
    },
  },
  {
    name: 'cnp: ports by number, range and protocol; without protocols everything',
    given: shop(
      clusterPolicy('a', {
        subject: dbPods,
        ingress: [
          {
            action: 'Deny',
            from: webPods,
            protocols: [
              { tcp: { destinationPort: { number: 80 } } },
              { udp: { destinationPort: { range: { start: 53, end: 54 } } } },
              { sctp: {} },
            ],
          },
          { action: 'Deny', from: [{ namespaces: { matchLabels: { team: 'b' } } }] },
        ],
      }),
    ),
    expected: {
      'shop/web > shop/db tcp/80': 'deny',
      'shop/web > shop/db tcp/81': 'allow',
      'shop/web > shop/db udp/80': 'allow',
      'shop/web > shop/db udp/54': 'deny',
      'shop/web > shop/db sctp/1': 'deny',
      'shop/web > shop/db icmp': 'allow',
      'mon/prom > shop/db icmp': 'deny',
    },
  },
  {
    name: 'cnp: a named port is any protocol that the destination has under the name',
    given: shop(
      clusterPolicy('in', {
        subject: dbPods,
        ingress: [{ action: 'Deny', from: anyone, protocols: [{ destinationNamedPort: 'dns' }] }],
      }),
      clusterPolicy('out', {
        subject: inShop,
        egress: [{ action: 'Deny', to: anyone, protocols: [{ destinationNamedPort: 'http' }] }],
      }),
    ),
    expected: {
      'mon/prom > shop/db udp/53': 'deny',
      'mon/prom > shop/db tcp/53': 'allow',
      'shop/db > shop/web tcp/80': 'deny',
      'shop/web > shop/db tcp/80': 'allow',
      'shop/web > shop/db tcp/8080': 'deny',
      'shop/web > 203.0.113.9 tcp/80': 'allow',
    },
  },
  {
    name: 'cnp: pods of the host network are neither subjects nor peers',
    given: world({
      pods: { ...three, 'shop/host': { labels: { app: 'db' }, node: 'x', hostNetwork: true, ips: ['198.51.100.7'] } },
      policies: [clusterPolicy('a', { ingress: [denyIn], egress: [{ action: 'Deny', to: anyone }] })],
    }),
    expected: {
      'shop/web > shop/host tcp/80': 'allow',
      'shop/host > shop/web tcp/80': 'allow',
      'shop/web > shop/db tcp/80': 'deny',
    },
  },
  {
    name: 'cnp: a Service that leads back is subject to it, the own address is not',
    given: shop(clusterPolicy('a', { ingress: [denyIn] })),
    expected: { 'shop/web > shop/web tcp/80': 'allow', 'shop/web > shop/web tcp/80 hairpin': 'deny' },
  },
  {
    name: 'cnp: NetworkPolicy still exempts a Service that leads back, when the Admin tier has let it through',
    given: shop(
      denyAll,
      clusterPolicy('a', { ingress: [{ action: 'Deny', from: [{ namespaces: { matchLabels: { x: 'y' } } }] }] }),
    ),
    expected: { 'shop/web > shop/web tcp/80 hairpin': 'allow', 'shop/db > shop/web tcp/80': 'deny' },
  },
  {
    name: 'cnp: the own node gets in, and is out of reach where it is denied',
    given: world({
      pods: { 'n/a': { node: 'one' } },
      nodes: { one: ['198.51.100.1'] },
      policies: [clusterPolicy('a', { egress: [{ action: 'Deny', to: everywhere }] })],
    }),
    expected: { '198.51.100.1 > n/a tcp/80': 'allow', 'n/a > 198.51.100.1 tcp/80': 'deny' },
  },
  {
    name: 'cnp: an unknown peer takes its whole rule with it, to nothing if it accepts',
    given: shop(
      denyAll,
      clusterPolicy('a', { subject: inShop, ingress: [{ action: 'Accept', from: [...anyone, { galaxies: {} }] }] }),
      clusterPolicy('b', { subject: inShop, egress: [{ action: 'Accept', to: [{ domainNames: ['example.org'] }] }] }),
      clusterPolicy('c', { priority: 11, subject: inShop, egress: [{ action: 'Deny', to: everywhere }] }),
    ),
    expected: { 'mon/prom > shop/db tcp/80': 'deny', 'shop/web > 203.0.113.9 tcp/80': 'deny' },
  },
  ...(['Deny', 'Pass'] as const).map((action) => ({
    name: `cnp: an unknown peer makes a rule to ${action} deny everything`,
    given: shop(
      clusterPolicy('a', {
        subject: dbPods,
        ingress: [{ action, from: [{}], protocols: [{ tcp: { destinationPort: { number: 80 } } }] }],
      }),
      clusterPolicy('b', { priority: 11, subject: dbPods, ingress: [{ action: 'Accept', from: anyone }] }),
    ),
    expected: {
      'shop/web > shop/db tcp/81': 'deny',
      '203.0.113.9 > shop/db icmp': 'deny',
      'shop/db > shop/web tcp/80': 'allow',
    } as const,
  })),
  {
    name: 'cnp: an unknown protocol does the same',
    given: shop(
      denyAll,
      clusterPolicy('a', { subject: dbPods, ingress: [{ action: 'Accept', from: anyone, protocols: [{ quic: {} }] }] }),
      clusterPolicy('b', {
        subject: { namespaces: { matchLabels: { team: 'b' } } },
        ingress: [{ action: 'Deny', from: [inShop], protocols: [{ quic: {} }] }],
      }),
    ),
    expected: { 'shop/web > shop/db tcp/80': 'deny', '203.0.113.9 > mon/prom tcp/80': 'deny' },
  },
  {
    name: 'cnp: a pod whose namespace is not known is closed where it may be selected',
    given: world({
      namespaces: { shop: {} },
      pods: { 'shop/web': web, 'lost/db': db, 'lost/web': web },
      policies: [
        clusterPolicy('a', {
          subject: { pods: { namespaceSelector: { matchLabels: { team: 'a' } }, podSelector: isDb } },
          ingress: [{ action: 'Accept', from: anyone }],
        }),
      ],
    }),
    expected: {
      'shop/web > lost/db tcp/80': 'deny',
      'shop/web > lost/web tcp/80': 'allow',
      'lost/db > shop/web tcp/80': 'allow',
    },
  },
];
