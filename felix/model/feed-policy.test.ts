import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { closedPolicy } from '../../datastore/resources/closed-policy.ts';
import { type Kind, keyOf, type Resource, type ResourceKey } from '../../datastore/resources/index.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import { parseCidr } from '../../lib/cidr.ts';
import { printRuleset } from '../../lib/nftables/print.ts';
import { unwrap } from '../../lib/result.ts';
import { clusterPolicy, policy } from '../../test/policy/world-builder.ts';
import { attachmentFor } from '../../test/support/attachment.ts';
import { FIRST_GENERATION } from '../render/policy/generation.ts';
import { POLICY_TABLE } from '../render/policy/names.ts';
import { createModel, type Model } from './model.ts';

const object = (kind: Kind, more: object): Resource => unwrap(parseResource({ apiVersion: 'v1', kind, ...more }));

const pod = object('Pod', {
  metadata: { namespace: 'n', name: 'a' },
  spec: { nodeName: 'one' },
  status: { podIPs: [{ ip: '10.244.0.1' }] },
});
const node = object('Node', {
  metadata: { name: 'one', labels: { role: 'worker' } },
  status: {
    addresses: [
      { type: 'InternalIP', address: '198.51.100.1' },
      { type: 'Hostname', address: 'one' },
    ],
  },
});
const namespace = object('Namespace', { metadata: { name: 'n' } });

const attachment = attachmentFor({ namespace: 'n', name: 'a', ip: '10.244.0.1' });

const tell = (model: Model, key: ResourceKey, value: Resource | undefined, error?: string): void =>
  model.accept({ kind: 'resource', change: { key, value }, version: '1', ...(error !== undefined && { error }) });

function loaded(...policies: readonly Resource[]): Model {
  const model = createModel({ node: 'one', generation: FIRST_GENERATION });
  for (const one of [namespace, node, pod, ...policies]) tell(model, keyOf(one), one);
  model.accept({
    kind: 'attached',
    attachment,
  });
  return model;
}

/** A container that its runtime names no pod for. */
const container = attachmentFor({ namespace: 'margay-containers', name: 'c2', ip: '10.244.0.2', containerId: 'c2' });

const tableOf = (model: Model): string => {
  model.drainNft('keep');
  return printRuleset({ table: POLICY_TABLE, objects: model.nftObjects() });
};

describe('feedPolicy()', () => {
  const toWorkers = clusterPolicy('nodes', {
    egress: [{ action: 'Deny', to: [{ nodes: { matchLabels: { role: 'worker' } } }] }],
  });

  test('tells the policies about nodes', () => {
    const model = loaded(toWorkers);
    assert.match(tableOf(model), /elements = \{ 198\.51\.100\.1 \}/);
    tell(model, 'Node/one', undefined);
    assert.doesNotMatch(tableOf(model), /198\.51\.100\.1/);
  });

  test('takes a ClusterNetworkPolicy back when it is deleted', () => {
    const model = loaded(toWorkers);
    assert.match(tableOf(model), /ClusterNetworkPolicy\/nodes egress 0/);
    tell(model, 'ClusterNetworkPolicy/nodes', undefined);
    assert.doesNotMatch(tableOf(model), /ClusterNetworkPolicy/);
  });

  test('has the closed form of a policy that cannot be read in force, whatever was in force before', () => {
    const key = keyOf(toWorkers);
    const closed = closedPolicy(key, undefined);
    const before = loaded(toWorkers);
    const after = loaded();
    for (const model of [before, after]) tell(model, key, closed, 'Cannot accept it');
    assert.equal(tableOf(before), tableOf(after));
    assert.match(tableOf(before), /drop comment "ClusterNetworkPolicy\/nodes egress 0"/);
    assert.ok(before.problems().includes('Cannot accept it'));
    assert.ok(before.problems().some((problem) => problem.startsWith('Cannot use egress rule 0 of "Cluster')));
    tell(before, key, toWorkers);
    assert.deepEqual(before.problems(), loaded(toWorkers).problems());
  });

  test('lets a NetworkPolicy that is not even JSON isolate its namespace', () => {
    const model = loaded();
    const key = keyOf(policy('n/bad'));
    tell(model, key, closedPolicy(key, undefined), 'Cannot accept it');
    assert.match(tableOf(model), /d[ie]_[0-9a-f]+" drop/);
  });

  test('takes a container without a pod for a pod without labels, whatever came first', () => {
    const policies = [
      policy('margay-containers/all', { ingress: [] }),
      clusterPolicy('by-name', {
        subject: { namespaces: { matchLabels: { 'kubernetes.io/metadata.name': 'margay-containers' } } },
        egress: [{ action: 'Deny', to: [{ networks: [unwrap(parseCidr('203.0.113.0/24'))] }] }],
      }),
    ];
    const home = object('Namespace', { metadata: { name: 'margay-containers' } });
    const asPod = (labels: object) =>
      object('Pod', { metadata: { namespace: 'margay-containers', name: 'c2', labels }, spec: { nodeName: 'one' } });
    const attached = { kind: 'attached', attachment: container } as const;

    const known = loaded(...policies, home, asPod({}));
    known.accept(attached);
    const expected = tableOf(known);
    assert.match(expected, /ClusterNetworkPolicy\/by-name egress 0/);
    assert.notEqual(expected, tableOf(loaded(...policies)));

    const model = loaded();
    model.accept(attached);
    const open = tableOf(model);
    for (const each of policies) tell(model, keyOf(each), each);
    assert.equal(tableOf(model), expected);
    // An object of the same name says more, and the container is what it was when that goes.
    tell(model, keyOf(home), object('Namespace', { metadata: { name: 'margay-containers', labels: { team: 'x' } } }));
    tell(model, keyOf(asPod({})), asPod({ app: 'web' }));
    assert.ok([...model.resources()].some((each) => each.metadata.labels?.['app'] === 'web'));
    for (const each of [home, asPod({})]) tell(model, keyOf(each), undefined);
    assert.equal(tableOf(model), expected);
    for (const each of policies) tell(model, keyOf(each), undefined);
    assert.equal(tableOf(model), open);
    model.accept({ kind: 'detached', attachment: container });
    assert.equal(tableOf(model), tableOf(loaded()));
    assert.ok(![...model.resources()].some(({ kind, metadata }) => kind === 'Pod' && metadata.name === 'c2'));
  });

  test('reports rules that are not in force as written', () => {
    const names = clusterPolicy('names', { egress: [{ action: 'Accept', to: [{ domainNames: ['example.org'] }] }] });
    const model = loaded(names);
    const problem =
      'Cannot use egress rule 0 of "ClusterNetworkPolicy/names": domainNames are not supported, expected networks';
    assert.ok(model.problems().includes(problem));
    tell(model, keyOf(names), undefined);
    assert.ok(!model.problems().includes(problem));
  });
});
