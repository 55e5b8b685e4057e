// Rules of hosts, loopback, lifecycle and names (25 to 33), and what goes beyond them.
import { policy, world } from '../world-builder.ts';
import { db, isDb, isWeb, type RuleRow, shop, web } from './shop.ts';

export const PLACE_ROWS: readonly RuleRow[] = [
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
    name: 'pods speak no BGP and no BFD with nodes, whatever policy allows, and the rest of the nodes stays open',
    given: world({
      pods: { 'n/a': { node: 'node1' }, 'n/b': { node: 'node2' } },
      policies: [policy('n/open', { policyTypes: ['Egress'], egress: [{}] })],
      nodes: { node1: ['198.51.100.1'], node2: ['198.51.100.2', 'fd00:198:51::2'] },
    }),
    expected: {
      'n/a > 198.51.100.1 tcp/179': 'deny',
      'n/a > 198.51.100.1 udp/3784': 'deny',
      'n/a > 198.51.100.2 tcp/179': 'deny',
      'n/a > 198.51.100.2 udp/4784': 'deny',
      'n/a > fd00:198:51::2 tcp/179 v6': 'deny',
      'n/a > 198.51.100.2 tcp/10250': 'allow',
      'n/a > 198.51.100.1 udp/179': 'allow',
      'n/a > 198.51.100.1 tcp/10250': 'allow',
      'n/a > n/b tcp/179': 'allow',
      'n/a > 203.0.113.9 tcp/179': 'allow',
      '198.51.100.1 > n/a tcp/179': 'allow',
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
    expected: {
      'shop/web > shop/web tcp/80': 'allow',
      'shop/web > shop/web tcp/80 hairpin': 'allow',
      'shop/web > shop/db tcp/80': 'deny',
    },
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
