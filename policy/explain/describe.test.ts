import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseCidr } from '../../lib/cidr.ts';
import { unwrap } from '../../lib/result.ts';
import { type Peer, type Policy, type Port, policyKey, type Rule, TIERS } from '../ir.ts';
import { ALL_PODS } from '../pod-scope.ts';
import { selectorOf } from '../selector.ts';
import { describePolicy, describeRule, describeRuleRef, describeSubject } from './describe.ts';

const KEY = policyKey('NetworkPolicy', 'shop', 'web');
const cidr = (text: string) => unwrap(parseCidr(text));

const rule = (peers: readonly Peer[] | 'any', ports: readonly Port[] | 'any', part: Partial<Rule> = {}): Rule => ({
  ref: { policy: KEY, direction: 'ingress', index: 2 },
  action: 'allow',
  peers,
  ports,
  ...part,
});

const pods = (labels: object | undefined, namespaces: object | string): Peer => ({
  kind: 'pods',
  scope: {
    pods: selectorOf(labels === undefined ? undefined : (labels as Parameters<typeof selectorOf>[0])),
    namespaces:
      typeof namespaces === 'string'
        ? { kind: 'name', name: namespaces }
        : { kind: 'selector', selector: selectorOf(namespaces as Parameters<typeof selectorOf>[0]) },
  },
});

const EXPRESSIONS = {
  matchExpressions: [
    { key: 'app', operator: 'In', values: ['a', 'b'] },
    { key: 'old', operator: 'DoesNotExist' },
    { key: 'tier', operator: 'Exists' },
    { key: 'zone', operator: 'NotIn', values: ['x'] },
  ],
};

const rows: readonly { readonly given: Rule; readonly expected: string }[] = [
  { given: rule('any', 'any'), expected: 'allow from anybody' },
  { given: rule([], []), expected: 'allow from nothing on nothing' },
  { given: rule([pods(undefined, 'shop')], 'any'), expected: 'allow from all pods of namespace shop' },
  {
    given: rule([pods(EXPRESSIONS, {})], 'any'),
    expected: 'allow from pods app in (a,b),!old,tier,zone!=x of all namespaces',
  },
  {
    given: rule([pods({ matchLabels: { app: 'web' } }, { matchLabels: { team: 'a' } })], 'any', { action: 'pass' }),
    expected: 'pass from pods app=web of namespaces team=a',
  },
  {
    given: rule(
      [
        { kind: 'cidr', cidr: cidr('10.0.0.0/8'), except: [] },
        { kind: 'cidr', cidr: cidr('fd00::/8'), except: [cidr('fd01::/16'), cidr('fd02::/16')] },
      ],
      [
        { kind: 'range', protocol: 'tcp', from: 80, to: 80 },
        { kind: 'range', protocol: 'udp', from: 1, to: 9 },
        { kind: 'protocol', protocol: 'sctp' },
        { kind: 'named', name: 'http', protocol: 'tcp' },
        { kind: 'named', name: 'dns' },
      ],
    ),
    expected:
      'allow from 10.0.0.0/8 or fd00::/8 except fd01::/16, fd02::/16 on tcp 80 or udp 1-9 or sctp or tcp port "http" or port "dns"',
  },
  {
    given: rule(
      [
        { kind: 'nodes', selector: selectorOf({ matchLabels: { disk: 'ssd' } }) },
        { kind: 'nodes', selector: selectorOf({}) },
        { kind: 'nothing', why: 'the peer is empty' },
      ],
      'any',
      { ref: { policy: KEY, direction: 'egress', index: 0 }, action: 'deny' },
    ),
    expected: 'deny to nodes disk=ssd or all nodes or nothing (the peer is empty)',
  },
];

for (const { given, expected } of rows)
  test(`describeRule() says "${expected}"`, () => assert.equal(describeRule(given), expected));

test('policies and their rules have names, and policies subjects', () => {
  assert.equal(describePolicy(KEY), 'NetworkPolicy shop/web');
  assert.equal(describePolicy(policyKey('ClusterNetworkPolicy', undefined, 'all')), 'ClusterNetworkPolicy all');
  assert.equal(describeRuleRef(rule('any', 'any').ref), 'NetworkPolicy shop/web ingress rule 2');
  const policy: Policy = { key: KEY, tier: TIERS.admin, order: 1, subject: ALL_PODS };
  assert.equal(describeSubject(policy), 'all pods of all namespaces');
});
