// What is reported about connections in a small world, and that odd names and broken tables are told as they are.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Resource } from '../../datastore/resources/index.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import type { NftKey, NftObject } from '../../lib/nftables/ast.ts';
import { unwrap } from '../../lib/result.ts';
import { compileWorld } from './compile-world.ts';
import { parseVerdictQuery, type VerdictWords } from './verdict-query.ts';
import { createExplainer } from './verdict-report.ts';

const object = (raw: object): Resource => unwrap(parseResource(raw));
const pod = (name: string, ip: string, labels: object = { app: name }): Resource =>
  object({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace: 'shop', name, labels },
    spec: { nodeName: 'node1' },
    status: { podIPs: [{ ip }] },
  });
const policy = (name: string, spec: object): Resource =>
  object({ apiVersion: 'networking.k8s.io/v1', kind: 'NetworkPolicy', metadata: { namespace: 'shop', name }, spec });
const cluster = (name: string, spec: object): Resource =>
  object({ apiVersion: 'policy.networking.k8s.io/v1alpha2', kind: 'ClusterNetworkPolicy', metadata: { name }, spec });

const LONG = `${'a'.repeat(60)}.${'b'.repeat(60)}.${'c'.repeat(60)}.${'d'.repeat(60)}`;
const WORLD: readonly Resource[] = [
  object({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'shop' } }),
  pod('web', '10.244.1.2'),
  pod('db', '10.244.1.3'),
  pod('free', '10.244.1.4'),
  policy(LONG, {
    podSelector: { matchLabels: { app: 'web' } },
    ingress: [{ ports: [{ port: 1 }] }, { from: [{ podSelector: { matchLabels: { app: 'db' } } }] }],
  }),
  policy('other', { podSelector: { matchLabels: { app: 'web' } }, policyTypes: ['Ingress'] }),
  cluster('no-ssh', {
    tier: 'Admin',
    priority: 1,
    subject: { namespaces: {} },
    ingress: [
      { action: 'Pass', from: [{ pods: { podSelector: { matchLabels: { app: 'db' } } } }] },
      { action: 'Deny', from: [{ namespaces: {} }], protocols: [{ tcp: { destinationPort: { number: 22 } } }] },
    ],
  }),
];

const compiled = compileWorld(WORLD, () => true).objects;
const ask = (words: VerdictWords, objects: ReadonlyMap<NftKey, NftObject> = compiled) =>
  unwrap(createExplainer(WORLD, objects).report(unwrap(parseVerdictQuery(words))));

test('report() names rules of policies whose names do not fit into a comment', () => {
  const { ingress, disagreement } = ask({ from: 'shop/db', to: 'shop/web', port: '80' });
  assert.equal(ingress.by, `NetworkPolicy shop/${LONG} ingress rule 1`);
  assert.equal(ingress.says, 'allow from pods app=db of namespace shop');
  assert.deepEqual(disagreement, []);
});

test('report() names every policy that isolates without allowing', () => {
  const { ingress } = ask({ from: 'shop/free', to: 'shop/web', port: '80' });
  assert.deepEqual([ingress.verdict, ingress.reason], ['deny', 'isolated']);
  assert.deepEqual(ingress.policies?.toSorted(), [`NetworkPolicy shop/${LONG}`, 'NetworkPolicy shop/other']);
});

test('report() follows tiers, and tells passing from deciding', () => {
  const denied = ask({ from: 'shop/web', to: 'shop/free', port: '22' }).ingress;
  assert.equal(denied.by, 'ClusterNetworkPolicy no-ssh ingress rule 1');
  assert.equal(denied.verdict, 'deny');
  const passed = ask({ from: 'shop/db', to: 'shop/free', port: '22' }).ingress;
  assert.deepEqual([passed.verdict, passed.reason], ['allow', 'not-isolated']);
  assert.ok(passed.path.some(({ about }) => about.startsWith('ClusterNetworkPolicy no-ssh ingress rule 0: pass from')));
});

test('report() tells when the rules are not what the oracle expects', () => {
  const broken = new Map(
    [...compiled].map(([key, one]) => [
      key,
      one.kind === 'chain' && one.name.startsWith('pi_') ? { ...one, rules: [] } : one,
    ]),
  );
  const { ingress, disagreement } = ask({ from: 'shop/db', to: 'shop/web', port: '80' }, broken);
  assert.deepEqual([ingress.verdict, ingress.oracle, disagreement], ['deny', 'allow', ['ingress']]);
});

test('report() tells about endpoints that are not in the table', () => {
  const { egress, ingress } = ask(
    { from: 'shop/web', to: 'shop/db', port: '80' },
    compileWorld(WORLD, ({ name }) => name === 'db').objects,
  );
  assert.deepEqual([egress.reason, ingress.reason], ['spoofed', 'not-isolated']);
});

test('decisions without a policy by name are told apart', () => {
  const unheard = policy('unheard-of', { podSelector: {} });
  const { objects } = compileWorld([...WORLD, unheard], () => true);
  const { ingress } = ask({ from: 'shop/db', to: 'shop/free', port: '1' }, objects);
  assert.deepEqual([ingress.reason, ingress.policies], ['isolated', []]);
  assert.equal(ingress.by, 'a policy that is not among the objects isolates the pod');
});

test('report() knows where nodes speak BGP, as the oracle does', () => {
  const world = [
    ...WORLD,
    object({
      apiVersion: 'v1',
      kind: 'Node',
      metadata: { name: 'node2', annotations: { 'projectcalico.org/IPv4Address': '203.0.113.12/24' } },
      status: { addresses: [{ type: 'InternalIP', address: '198.51.100.12' }] },
    }),
    object({
      apiVersion: 'projectcalico.org/v3',
      kind: 'BGPConfiguration',
      metadata: { name: 'node.node2' },
      spec: { listenPort: 1179 },
    }),
  ];
  const explainer = createExplainer(world, compileWorld(world, () => true).objects);
  for (const [to, port, expected] of [
    ['198.51.100.12', '179', 'bgp'],
    ['198.51.100.12', '1179', 'bgp'],
    ['198.51.100.12', '4784/udp', 'bgp'],
    ['203.0.113.12', '179', 'bgp'],
    ['203.0.113.13', '179', 'not-isolated'],
    ['198.51.100.12', '2179', 'not-isolated'],
  ] as const) {
    const query = unwrap(parseVerdictQuery({ from: 'shop/free', to, port }));
    const { egress, disagreement } = unwrap(explainer.report(query));
    assert.deepEqual({ reason: egress.reason, disagreement }, { reason: expected, disagreement: [] }, `${to} ${port}`);
    if (expected === 'bgp') assert.ok(egress.path.every(({ about }) => !about.includes('the same policies')));
  }
});

test('report() does not take policies that isolate nobody for the reason', () => {
  const { ingress } = ask({ from: 'shop/db', to: 'shop/web', port: '1' });
  assert.deepEqual(ingress.reason, 'rule');
  const { ingress: other } = ask({ from: 'shop/free', to: 'shop/web', port: '2' });
  assert.equal(
    other.policies?.some((name) => name.startsWith('ClusterNetworkPolicy')),
    false,
  );
});

test('report() tells that nobody serves a service address, where policy lets the packet out, and says so offline too', () => {
  const spec = { serviceClusterIPs: [{ cidr: '10.96.0.0/16' }], serviceExternalIPs: [{ cidr: '203.0.113.0/28' }] };
  const world = [
    ...WORLD,
    object({ apiVersion: 'projectcalico.org/v3', kind: 'BGPConfiguration', metadata: { name: 'default' }, spec }),
    object({
      apiVersion: 'projectcalico.org/v3',
      kind: 'BGPConfiguration',
      metadata: { name: 'node.node1' },
      spec: {},
    }),
    policy('no-egress', { podSelector: { matchLabels: { app: 'db' } }, policyTypes: ['Egress'] }),
  ];
  const { report } = createExplainer(world, compileWorld(world, () => true).objects);
  for (const [from, to, expected, by] of [
    ['shop/web', '10.96.0.9', ['deny', 'no-service'], 'it is a service address that nobody serves here'],
    ['shop/web', '203.0.113.5', ['deny', 'no-service'], 'it is a service address that nobody serves here'],
    ['shop/web', '203.0.113.99', ['allow', 'not-isolated'], 'no policy decides about the pod in this direction'],
    ['shop/db', '10.96.0.9', ['deny', 'isolated'], 'no rule of NetworkPolicy shop/no-egress allows it'],
  ] as const) {
    const { egress, disagreement } = unwrap(report(unwrap(parseVerdictQuery({ from, to, port: '80' }))));
    assert.deepEqual([egress.verdict, egress.reason], expected, to);
    assert.equal(egress.by, by);
    assert.deepEqual(disagreement, []);
  }
});
