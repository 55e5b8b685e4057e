// Rules of ports and protocols (18 to 23).
import { policy, world } from '../world-builder.ts';
import { isDb, isWeb, type RuleRow, shop } from './shop.ts';

export const PORT_ROWS: readonly RuleRow[] = [
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
];
