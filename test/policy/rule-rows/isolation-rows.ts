// Rules of isolation, combination and policyTypes (1 to 9).
import { policy } from '../world-builder.ts';
import { isDb, isWeb, type RuleRow, shop } from './shop.ts';

export const ISOLATION_ROWS: readonly RuleRow[] = [
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
];
