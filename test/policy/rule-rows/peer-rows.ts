// Rules of peers (10 to 17).
import { policy, world } from '../world-builder.ts';
import { db, isDb, isWeb, type RuleRow, shop, three, web } from './shop.ts';

export const PEER_ROWS: readonly RuleRow[] = [
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
];
