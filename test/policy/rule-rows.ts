// The rules that a NetworkPolicy implementation must satisfy, each as a small world and packets with their fate. The
// oracle and the rendered table are both held to them.
import type { World } from '../../policy/oracle.ts';
import { policy, world } from './world-builder.ts';

export type RuleRow = {
  readonly name: string;
  readonly given: World;
  /** Packet, see `packet()`, to its fate; `pod` cells name the sender first. */
  readonly expected: Readonly<Record<string, 'allow' | 'deny'>>;
};

const web = { labels: { app: 'web' }, ports: ['http=tcp/80'] };
const db = { labels: { app: 'db' }, ports: ['sql=tcp/5432', 'http=tcp/8080', 'dns=udp/53'] };
const two = { 'shop/web': web, 'shop/db': db } as const;
const three = { ...two, 'mon/prom': { labels: { app: 'prom' } } } as const;
const isWeb = { matchLabels: { app: 'web' } };
const isDb = { matchLabels: { app: 'db' } };

/** A world of the pods web and db in `shop` and prom in `mon`. */
const shop = (...policies: readonly ReturnType<typeof policy>[]): World =>
  world({ namespaces: { shop: { team: 'a' }, mon: { team: 'b' } }, pods: three, policies });

export const RULE_ROWS: readonly RuleRow[] = [
  {
    name: '1 a pod that nothing selects is not isolated, whatever isolates others',
    given: shop(policy('shop/deny-db', { podSelector: isDb })),
    expected: {
      'shop/db > shop/web tcp/80': 'allow',
      'shop/web > shop/db tcp/80': 'deny',
      'shop/db > 203.0.113.9 tcp/443': 'allow',
      '203.0.113.9 > shop/web tcp/80': 'allow',
    },
  },
  {
    name: '1 ingress and egress are isolated independently',
    given: shop(policy('shop/deny-out', { podSelector: isDb, policyTypes: ['Egress'] })),
    expected: { 'shop/db > shop/web tcp/80': 'deny', 'shop/web > shop/db tcp/80': 'allow' },
  },
  {
    name: '2 policies add up',
    given: shop(
      policy('shop/a', { podSelector: isDb, ingress: [{ from: [{ podSelector: isWeb }] }] }),
      policy('shop/b', { podSelector: isDb, ingress: [{ from: [{ namespaceSelector: {} }], ports: [{ port: 9 }] }] }),
      policy('shop/c', {}),
    ),
    expected: {
      'shop/web > shop/db tcp/1': 'allow',
      'mon/prom > shop/db tcp/9': 'allow',
      'mon/prom > shop/db tcp/1': 'deny',
      '203.0.113.9 > shop/db tcp/9': 'deny',
    },
  },
  {
    name: '3 both sides must allow',
    given: shop(
      policy('shop/out', { podSelector: isWeb, policyTypes: ['Egress'], egress: [{ to: [{ podSelector: isDb }] }] }),
      policy('shop/in', { podSelector: isDb, ingress: [{ from: [{ podSelector: isWeb }], ports: [{ port: 5432 }] }] }),
    ),
    expected: {
      'shop/web > shop/db tcp/5432': 'allow',
      'shop/web > shop/db tcp/5433': 'deny',
      'shop/web > mon/prom tcp/5432': 'deny',
    },
  },
  {
    name: '6 a policy selects in its own namespace only, an empty selector all of it',
    given: shop(policy('mon/deny', {})),
    expected: { 'shop/db > shop/web tcp/80': 'allow', 'shop/db > mon/prom tcp/80': 'deny' },
  },
  {
    name: '7 an empty list denies all, a list of an empty rule allows all',
    given: shop(policy('shop/none', { ingress: [] }), policy('mon/all', { ingress: [{}] })),
    expected: {
      'mon/prom > shop/web tcp/80': 'deny',
      '203.0.113.9 > shop/web icmp': 'deny',
      'shop/web > mon/prom icmp': 'allow',
      '203.0.113.9 > mon/prom sctp/7': 'allow',
    },
  },
  {
    name: '8 without policyTypes an egress rule makes it an egress policy too',
    given: shop(policy('shop/p', { podSelector: isWeb, egress: [{ to: [{ podSelector: isDb }] }] })),
    expected: {
      'shop/web > shop/db tcp/80': 'allow',
      'shop/web > mon/prom tcp/80': 'deny',
      'shop/db > shop/web tcp/80': 'deny',
    },
  },
  {
    name: '8 an empty egress list without policyTypes does not isolate egress',
    given: shop(policy('shop/p', { podSelector: isWeb, egress: [] })),
    expected: { 'shop/web > shop/db tcp/80': 'allow', 'shop/db > shop/web tcp/80': 'deny' },
  },
  {
    name: '9 a rule list of a direction that is not in policyTypes is ignored',
    given: shop(policy('shop/p', { podSelector: isWeb, policyTypes: ['Ingress'], ingress: [{}], egress: [] })),
    expected: { 'shop/web > shop/db tcp/80': 'allow', 'shop/db > shop/web tcp/80': 'allow' },
  },
  {
    name: '10 an absent or empty peer list is any peer, off-cluster too',
    given: shop(
      policy('shop/in', { ingress: [{ from: [], ports: [{ port: 80 }] }] }),
      policy('shop/out', { policyTypes: ['Egress'], egress: [{ ports: [{ port: 443 }] }] }),
    ),
    expected: {
      '203.0.113.9 > shop/web tcp/80': 'allow',
      '203.0.113.9 > shop/web tcp/81': 'deny',
      'shop/web > 203.0.113.9 tcp/443': 'allow',
      'shop/web > 203.0.113.9 tcp/80': 'deny',
    },
  },
  {
    name: '11 podSelector alone: pods of the own namespace',
    given: shop(policy('shop/p', { ingress: [{ from: [{ podSelector: {} }] }] })),
    expected: {
      'shop/db > shop/web tcp/80': 'allow',
      'mon/prom > shop/web tcp/80': 'deny',
      '203.0.113.9 > shop/web tcp/80': 'deny',
    },
  },
  {
    name: '11 namespaceSelector alone: all pods of those namespaces, never off-cluster addresses',
    given: shop(
      policy('shop/p', { podSelector: isWeb, ingress: [{ from: [{ namespaceSelector: {} }] }] }),
      policy('shop/q', {
        podSelector: isDb,
        ingress: [{ from: [{ namespaceSelector: { matchLabels: { team: 'b' } } }] }],
      }),
    ),
    expected: {
      'mon/prom > shop/web tcp/80': 'allow',
      '203.0.113.9 > shop/web tcp/80': 'deny',
      'mon/prom > shop/db tcp/80': 'allow',
      'shop/web > shop/db tcp/80': 'deny',
    },
  },
  {
    name: '11 both selectors: pods and namespaces',
    given: world({
      namespaces: { shop: { team: 'a' }, mon: { team: 'b' } },
      pods: { ...three, 'mon/web': web },
      policies: [
        policy('shop/p', {
          ingress: [{ from: [{ podSelector: isWeb, namespaceSelector: { matchLabels: { team: 'b' } } }] }],
        }),
      ],
    }),
    expected: {
      'mon/web > shop/db tcp/80': 'allow',
      'mon/prom > shop/db tcp/80': 'deny',
      'shop/web > shop/db tcp/80': 'deny',
    },
  },
  {
    name: '12 NotIn and DoesNotExist match absent labels, In and Exists do not',
    given: world({
      pods: { 'n/bare': {}, 'n/web': web, 'n/db': db, 'n/to': { labels: { role: 'to' } } },
      policies: [
        policy('n/p', {
          podSelector: { matchLabels: { role: 'to' } },
          ingress: [
            {
              from: [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }] } }],
              ports: [{ port: 1 }],
            },
            {
              from: [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'DoesNotExist' }] } }],
              ports: [{ port: 2 }],
            },
            {
              from: [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'In', values: ['web', 'x'] }] } }],
              ports: [{ port: 3 }],
            },
            {
              from: [{ podSelector: { matchExpressions: [{ key: 'app', operator: 'Exists' }] } }],
              ports: [{ port: 4 }],
            },
            {
              from: [
                {
                  podSelector: {
                    matchLabels: { app: 'web' },
                    matchExpressions: [{ key: 'app', operator: 'NotIn', values: ['web'] }],
                  },
                },
              ],
              ports: [{ port: 5 }],
            },
          ],
        }),
      ],
    }),
    expected: {
      'n/bare > n/to tcp/1': 'allow',
      'n/db > n/to tcp/1': 'allow',
      'n/web > n/to tcp/1': 'deny',
      'n/bare > n/to tcp/2': 'allow',
      'n/db > n/to tcp/2': 'deny',
      'n/bare > n/to tcp/3': 'deny',
      'n/web > n/to tcp/3': 'allow',
      'n/bare > n/to tcp/4': 'deny',
      'n/db > n/to tcp/4': 'allow',
      'n/web > n/to tcp/5': 'deny',
    },
  },
  {
    name: '12 namespaces carry their name as a label',
    given: shop(
      policy('shop/p', {
        ingress: [{ from: [{ namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'mon' } } }] }],
      }),
    ),
    expected: { 'mon/prom > shop/web tcp/80': 'allow', 'shop/db > shop/web tcp/80': 'deny' },
  },
  {
    name: '13 except carves out of its own block only',
    given: shop(
      policy('shop/p', {
        podSelector: isWeb,
        ingress: [{ from: [{ ipBlock: { cidr: '203.0.113.0/24', except: ['203.0.113.128/25'] } }] }],
      }),
      policy('shop/q', {
        podSelector: isWeb,
        ingress: [{ from: [{ ipBlock: { cidr: '203.0.113.200/32' } }], ports: [{ port: 80 }] }],
      }),
    ),
    expected: {
      '203.0.113.9 > shop/web tcp/80': 'allow',
      '203.0.113.129 > shop/web tcp/80': 'deny',
      '203.0.113.200 > shop/web tcp/80': 'allow',
      '203.0.113.200 > shop/web tcp/81': 'deny',
    },
  },
  {
    name: '13 ipBlock matches the addresses of pods',
    given: shop(
      policy('shop/p', { podSelector: isWeb, ingress: [{ from: [{ ipBlock: { cidr: '10.244.0.11/32' } }] }] }),
    ),
    expected: { 'shop/db > shop/web tcp/80': 'allow', 'mon/prom > shop/web tcp/80': 'deny' },
  },
  {
    name: '16 host bits and leading zeros of a CIDR are taken as people meant them',
    given: shop(
      policy('shop/p', { podSelector: isWeb, ingress: [{ from: [{ ipBlock: { cidr: '203.000.113.077/24' } }] }] }),
    ),
    expected: { '203.0.113.9 > shop/web tcp/80': 'allow', '203.0.114.9 > shop/web tcp/80': 'deny' },
  },
  {
    name: '17 a policy holds for both families, an ipBlock for its own',
    given: shop(
      policy('shop/web', { podSelector: isWeb, ingress: [{ from: [{ ipBlock: { cidr: '0.0.0.0/0' } }] }] }),
      policy('shop/db', { podSelector: isDb, ingress: [{ from: [{ podSelector: isWeb }] }] }),
    ),
    expected: {
      'shop/db > shop/web tcp/80 v4': 'allow',
      'shop/db > shop/web tcp/80 v6': 'deny',
      'shop/web > shop/db tcp/80 v6': 'allow',
      'mon/prom > shop/db tcp/80 v6': 'deny',
    },
  },
  {
    name: '18 without ports every protocol passes, with ports only those',
    given: shop(
      policy('shop/all', { podSelector: isWeb, ingress: [{ from: [{ podSelector: {} }] }] }),
      policy('shop/some', {
        podSelector: isDb,
        ingress: [{ from: [{ podSelector: {} }], ports: [{ port: 5432 }, { protocol: 'UDP', port: 53 }] }],
      }),
    ),
    expected: {
      'shop/db > shop/web icmp': 'allow',
      'shop/db > shop/web icmp v6': 'allow',
      'shop/db > shop/web sctp/7': 'allow',
      'shop/web > shop/db icmp': 'deny',
      'shop/web > shop/db tcp/5432': 'allow',
      'shop/web > shop/db udp/53': 'allow',
      'shop/web > shop/db tcp/53': 'deny',
    },
  },
  {
    name: '19 the protocol is TCP unless given, also without a port',
    given: shop(
      policy('shop/p', { podSelector: isWeb, ingress: [{ ports: [{}] }] }),
      policy('shop/q', { podSelector: isDb, ingress: [{ ports: [{ port: 9 }] }] }),
    ),
    expected: {
      'shop/db > shop/web tcp/12345': 'allow',
      'shop/db > shop/web udp/12345': 'deny',
      'shop/web > shop/db tcp/9': 'allow',
      'shop/web > shop/db sctp/9': 'deny',
    },
  },
  {
    name: '20 a protocol without port is all its ports',
    given: shop(policy('shop/p', { podSelector: isWeb, ingress: [{ ports: [{ protocol: 'UDP' }, { port: 80 }] }] })),
    expected: {
      'shop/db > shop/web udp/1': 'allow',
      'shop/db > shop/web udp/65535': 'allow',
      'shop/db > shop/web tcp/80': 'allow',
      'shop/db > shop/web tcp/81': 'deny',
    },
  },
  {
    name: '21 endPort is inclusive; ranges may overlap',
    given: shop(
      policy('shop/p', {
        podSelector: isWeb,
        ingress: [{ ports: [{ port: 80, endPort: 90 }, { port: 85, endPort: 95 }, { port: 97 }] }],
      }),
    ),
    expected: {
      'shop/db > shop/web tcp/79': 'deny',
      'shop/db > shop/web tcp/80': 'allow',
      'shop/db > shop/web tcp/95': 'allow',
      'shop/db > shop/web tcp/96': 'deny',
      'shop/db > shop/web tcp/97': 'allow',
    },
  },
  {
    name: '22 a named port is what the destination declares, for ingress the subject',
    given: shop(policy('shop/p', { ingress: [{ from: [{ namespaceSelector: {} }], ports: [{ port: 'http' }] }] })),
    expected: {
      'mon/prom > shop/web tcp/80': 'allow',
      'mon/prom > shop/db tcp/8080': 'allow',
      'mon/prom > shop/db tcp/80': 'deny',
      'mon/prom > shop/web tcp/8080': 'deny',
      '203.0.113.9 > shop/web tcp/80': 'deny',
    },
  },
  {
    name: '22 the protocol of a named port must fit',
    given: shop(
      policy('shop/p', {
        podSelector: isDb,
        ingress: [{ ports: [{ port: 'dns' }, { protocol: 'UDP', port: 'sql' }] }],
      }),
    ),
    expected: {
      'shop/web > shop/db udp/53': 'deny',
      'shop/web > shop/db tcp/53': 'deny',
      'shop/web > shop/db tcp/5432': 'deny',
      'shop/web > shop/db udp/5432': 'deny',
    },
  },
  {
    name: '22 an egress rule with a named port and no peer: every pod that has it, nothing off-cluster',
    given: shop(policy('mon/p', { policyTypes: ['Egress'], egress: [{ ports: [{ port: 'http' }] }] })),
    expected: {
      'mon/prom > shop/web tcp/http': 'allow',
      'mon/prom > shop/db tcp/http': 'allow',
      'mon/prom > shop/db tcp/80': 'deny',
      'mon/prom > 203.0.113.9 tcp/80': 'deny',
    },
  },
  {
    name: '22 an egress rule with a named port and an ipBlock: pods that have it in that block',
    given: shop(
      policy('mon/p', {
        policyTypes: ['Egress'],
        egress: [{ to: [{ ipBlock: { cidr: '10.244.0.10/32' } }], ports: [{ port: 'http' }] }],
      }),
    ),
    expected: { 'mon/prom > shop/web tcp/80': 'allow', 'mon/prom > shop/db tcp/8080': 'deny' },
  },
  {
    name: '22 two containers may give one name to two numbers',
    given: world({
      pods: { 'n/a': {}, 'n/b': { ports: ['x=tcp/1', 'x=tcp/2'] } },
      policies: [policy('n/p', { ingress: [{ ports: [{ port: 'x' }] }] })],
    }),
    expected: { 'n/a > n/b tcp/1': 'allow', 'n/a > n/b tcp/2': 'allow', 'n/a > n/b tcp/3': 'deny' },
  },
  {
    name: '23 allowing SCTP isolates TCP',
    given: shop(policy('shop/p', { podSelector: isWeb, ingress: [{ ports: [{ protocol: 'SCTP', port: 80 }] }] })),
    expected: { 'shop/db > shop/web sctp/80': 'allow', 'shop/db > shop/web tcp/80': 'deny' },
  },
  {
    name: '25 the own node is always let in, another node is not',
    given: world({
      pods: { 'n/a': { node: 'node1' }, 'n/host': { node: 'node1', hostNetwork: true, ips: ['198.51.100.1'] } },
      policies: [policy('n/deny', { policyTypes: ['Ingress', 'Egress'] })],
      nodes: { node1: ['198.51.100.1'], node2: ['198.51.100.2'] },
    }),
    expected: {
      '198.51.100.1 > n/a tcp/80': 'allow',
      'n/host > n/a tcp/80': 'allow',
      '198.51.100.2 > n/a tcp/80': 'deny',
      'n/a > 198.51.100.1 tcp/80': 'deny',
      'n/a > 198.51.100.2 tcp/80': 'deny',
    },
  },
  {
    name: '26 another node is let in by ipBlock, or where no peer is given',
    given: world({
      pods: { 'n/a': web, 'n/b': db, 'n/host': { node: 'node2', hostNetwork: true, ips: ['198.51.100.2'] } },
      policies: [
        policy('n/a', { podSelector: isWeb, ingress: [{ from: [{ ipBlock: { cidr: '198.51.100.2/32' } }] }] }),
        policy('n/b', { podSelector: isDb, ingress: [{ from: [{ namespaceSelector: {} }] }] }),
      ],
      nodes: { node2: ['198.51.100.2'] },
    }),
    expected: { '198.51.100.2 > n/a tcp/80': 'allow', 'n/host > n/b tcp/80': 'deny' },
  },
  {
    name: '27 pods of the host network are nobody’s peers',
    given: world({
      pods: { 'n/a': {}, 'n/host': { labels: { app: 'web' }, node: 'x', hostNetwork: true, ips: ['198.51.100.7'] } },
      policies: [policy('n/p', { policyTypes: ['Egress'], egress: [{ to: [{ podSelector: {} }] }] })],
    }),
    expected: { 'n/a > n/host tcp/80': 'deny' },
  },
  {
    name: '28 a pod reaches itself',
    given: shop(policy('shop/deny', { policyTypes: ['Ingress', 'Egress'] })),
    expected: { 'shop/web > shop/web tcp/80': 'allow', 'shop/web > shop/db tcp/80': 'deny' },
  },
  {
    name: '31 a finished pod is nobody’s peer',
    given: world({
      pods: { 'n/a': web, 'n/done': { labels: { app: 'db' }, finished: true }, 'n/new': { ips: ['10.244.0.11'] } },
      policies: [policy('n/p', { podSelector: isWeb, ingress: [{ from: [{ podSelector: isDb }] }] })],
    }),
    expected: { '10.244.0.11 > n/a tcp/80': 'deny', 'n/new > n/a tcp/80': 'deny' },
  },
  {
    name: '33 names of the greatest length, alike but for their end',
    given: world({
      pods: { 'n/a': web, 'n/b': db, 'n/c': {} },
      policies: [
        policy(`n/${'x'.repeat(252)}a`, { podSelector: isWeb, ingress: [{ from: [{ podSelector: isDb }] }] }),
        policy(`n/${'x'.repeat(252)}b`, { podSelector: isDb, ingress: [{ from: [{ podSelector: isWeb }] }] }),
      ],
    }),
    expected: {
      'n/b > n/a tcp/80': 'allow',
      'n/a > n/b tcp/80': 'allow',
      'n/c > n/a tcp/80': 'deny',
      'n/c > n/b tcp/80': 'deny',
    },
  },
  {
    name: 'tunnels out of pods are dropped, whatever is allowed',
    given: shop(),
    expected: { 'shop/web > shop/db udp/4789': 'deny', '203.0.113.9 > shop/db udp/4789': 'allow' },
  },
  {
    name: 'labels that JavaScript objects inherit are not there unless they are',
    given: world({
      pods: { 'n/a': {}, 'n/b': { labels: { constructor: 'x' } }, 'n/c': { labels: { role: 'to' } } },
      policies: [
        policy('n/p', {
          podSelector: { matchLabels: { role: 'to' } },
          ingress: [
            { from: [{ podSelector: { matchExpressions: [{ key: 'constructor', operator: 'DoesNotExist' }] } }] },
          ],
        }),
      ],
    }),
    expected: { 'n/a > n/c tcp/80': 'allow', 'n/b > n/c tcp/80': 'deny' },
  },
];
