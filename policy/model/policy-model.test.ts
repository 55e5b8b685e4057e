import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { parseIp } from '../../lib/ip.ts';
import { hostIfName } from '../../lib/linux/if-name.ts';
import { unwrap } from '../../lib/result.ts';
import { clusterPolicy, policy, world } from '../../test/policy/world-builder.ts';
import { convertNetworkPolicy } from '../convert/network-policy.ts';
import { convertPolicy } from '../convert/policy.ts';
import { type PodFacts, podKey } from '../world.ts';
import { createPolicyModel } from './policy-model.ts';
import type { PolicyModel } from './types.ts';

const given = world({
  pods: {
    'n/web': { labels: { app: 'web' }, ips: ['10.244.0.1'] },
    'n/db': { labels: { app: 'db' }, ips: ['10.244.0.2'] },
    'n/far': { labels: { app: 'far' }, ips: ['10.244.9.1'] },
  },
  policies: [
    policy('n/db', {
      podSelector: { matchLabels: { app: 'db' } },
      ingress: [{ from: [{ podSelector: { matchLabels: { app: 'web' } } }] }],
    }),
  ],
});

const put = (model: PolicyModel, { namespace, name }: PodFacts, facts: PodFacts | undefined): void =>
  model.setPod(podKey(namespace, name), facts);

const podNamed = (name: string): PodFacts => {
  const pod = given.pods.find((one) => one.name === name);
  if (pod === undefined) throw new Error(`Cannot find pod "${name}"`);
  return pod;
};

/** The world with `db` on this node, drained. */
function loaded(): PolicyModel {
  const model = createPolicyModel();
  for (const [name, labels] of given.namespaces) model.setNamespace(name, labels);
  for (const pod of given.pods) put(model, pod, pod);
  for (const one of given.policies.map(convertPolicy)) model.setPolicy(one.key, one);
  model.setEndpoint(hostIfName('n', 'db'), { namespace: 'n', pod: 'db', ips: podNamed('db').ips });
  model.drain();
  return model;
}

describe('canRevoke of drain()', () => {
  const [web, db, far] = [podNamed('web'), podNamed('db'), podNamed('far')];
  const [allow] = given.policies.map(convertPolicy);
  if (allow === undefined) throw new Error('Cannot happen');
  const rows: readonly {
    readonly name: string;
    readonly given: (model: PolicyModel) => void;
    readonly expected: boolean;
  }[] = [
    {
      name: 'a pod that joins a set',
      given: (model) => put(model, far, { ...far, labels: web.labels }),
      expected: false,
    },
    { name: 'a pod that leaves a set', given: (model) => put(model, web, { ...web, labels: {} }), expected: true },
    {
      name: 'a pod whose address changes',
      given: (model) => put(model, web, { ...web, ips: far.ips }),
      expected: true,
    },
    { name: 'a pod that finishes', given: (model) => put(model, web, { ...web, finished: true }), expected: true },
    { name: 'a pod that is deleted', given: (model) => put(model, web, undefined), expected: false },
    {
      name: 'a new endpoint',
      given: (model) => model.setEndpoint(hostIfName('n', 'web'), { namespace: 'n', pod: 'web', ips: web.ips }),
      expected: false,
    },
    {
      name: 'a new endpoint whose pod has no address yet',
      given: (model) => {
        put(model, far, { ...web, name: 'far', ips: [] });
        model.drain();
        const ips = [unwrap(parseIp('10.244.0.9'))];
        model.setEndpoint(hostIfName('n', 'far'), { namespace: 'n', pod: 'far', ips });
      },
      expected: false,
    },
    {
      name: 'an endpoint that has no address any more',
      given: (model) => model.setEndpoint(hostIfName('n', 'db'), { namespace: 'n', pod: 'db', ips: [] }),
      expected: false,
    },
    {
      name: 'an endpoint that goes',
      given: (model) => model.setEndpoint(hostIfName('n', 'db'), undefined),
      expected: false,
    },
    {
      name: 'a policy more on an endpoint',
      given: (model) => {
        const more = convertNetworkPolicy(policy('n/more', { egress: [], policyTypes: ['Egress'] }));
        model.setPolicy(more.key, more);
      },
      expected: true,
    },
    {
      name: 'a policy on an endpoint that waits for its pod',
      given: (model) => {
        model.setEndpoint(hostIfName('n', 'web'), { namespace: 'n', pod: 'web', ips: [] });
        model.drain();
        const ofWeb = convertNetworkPolicy(policy('n/web', { podSelector: { matchLabels: web.labels } }));
        model.setPolicy(ofWeb.key, ofWeb);
      },
      expected: false,
    },
    {
      name: 'a policy on an endpoint whose pod goes at the same time',
      given: (model) => {
        const closed = convertNetworkPolicy(policy('n/closed', { policyTypes: ['Egress'] }));
        model.setPolicy(closed.key, closed);
        model.setEndpoint(hostIfName('n', 'db'), { namespace: 'n', pod: 'db', ips: [] });
      },
      expected: true,
    },
    { name: 'other rules', given: (model) => model.setPolicy(allow.key, { ...allow, ingress: [] }), expected: true },
    { name: 'the last policy deleted', given: (model) => model.setPolicy(allow.key, undefined), expected: false },
    {
      name: 'an endpoint whose pod is forgotten',
      given: (model) => put(model, db, undefined),
      expected: true,
    },
    {
      name: 'a policy that selects nothing here',
      given: (model) => {
        const other = convertNetworkPolicy(policy('m/other', {}));
        model.setPolicy(other.key, other);
      },
      expected: false,
    },
  ];
  for (const { name, given: change, expected } of rows) {
    test(`${expected ? 'is set by' : 'is not set by'} ${name}`, () => {
      const model = loaded();
      change(model);
      assert.equal(model.drain().canRevoke, expected);
    });
  }
});

describe('canRevoke of drain() with policies of other tiers', () => {
  const far = podNamed('far');
  const ips = [unwrap(parseIp('198.51.100.2'))];
  const worker = { labels: { role: 'worker' }, ips };
  const nodes = [{ nodes: { matchLabels: { role: 'worker' } } }];
  const rows: readonly {
    readonly name: string;
    readonly policy: Parameters<typeof clusterPolicy>[1];
    readonly given: (model: PolicyModel) => void;
    readonly expected: boolean;
  }[] = [
    {
      name: 'a node that comes, where nodes are accepted',
      policy: { egress: [{ action: 'Accept', to: nodes }] },
      given: (model) => model.setNode('two', worker),
      expected: false,
    },
    {
      name: 'a node that comes, where nodes are denied',
      policy: { egress: [{ action: 'Deny', to: nodes }] },
      given: (model) => model.setNode('two', worker),
      expected: true,
    },
    {
      name: 'a node that loses its label',
      policy: { egress: [{ action: 'Accept', to: nodes }] },
      given: (model) => model.setNode('one', { labels: {}, ips: [] }),
      expected: true,
    },
    {
      name: 'a node that nobody selects',
      policy: { egress: [{ action: 'Deny', to: nodes }] },
      given: (model) => model.setNode('two', { labels: {}, ips }),
      expected: false,
    },
    {
      name: 'a pod that joins a set of those who are denied',
      policy: { ingress: [{ action: 'Deny', from: [{ pods: { podSelector: { matchLabels: { app: 'bad' } } } }] }] },
      given: (model) => put(model, far, { ...far, labels: { app: 'bad' } }),
      expected: true,
    },
    {
      name: 'a namespace that is not known any more',
      policy: { subject: { namespaces: { matchLabels: { team: 'a' } } }, ingress: [{ action: 'Deny', from: [{}] }] },
      given: (model) => model.setNamespace('n', undefined),
      expected: true,
    },
    {
      name: 'another priority',
      policy: { ingress: [{ action: 'Pass', from: [{ namespaces: {} }] }] },
      given: (model) => {
        const other = clusterPolicy('x', { priority: 1, ingress: [{ action: 'Deny', from: [{ namespaces: {} }] }] });
        model.setPolicy(convertPolicy(other).key, convertPolicy(other));
      },
      expected: true,
    },
  ];
  for (const { name, policy: spec, given: change, expected } of rows) {
    test(`${expected ? 'is set by' : 'is not set by'} ${name}`, () => {
      const model = loaded();
      const one = convertPolicy(clusterPolicy('x', spec));
      model.setPolicy(one.key, one);
      model.setNode('one', { ...worker, ips: [unwrap(parseIp('198.51.100.1'))] });
      model.drain();
      change(model);
      assert.equal(model.drain().canRevoke, expected);
    });
  }
});

describe('an endpoint', () => {
  const db = podNamed('db');
  const ifName = hostIfName('n', 'db');
  const rows = [
    { name: 'without its Pod is closed', given: undefined, endpoint: {}, expected: 'ingress closed' },
    {
      name: 'of an earlier pod of that name is closed',
      given: { ...db, uid: 'new' },
      endpoint: { uid: 'old' },
      expected: 'ingress closed',
    },
    {
      name: 'of a pod of the host network is closed',
      given: { ...db, hostNetwork: true },
      endpoint: {},
      expected: 'ingress closed',
    },
    { name: 'that nothing selects is open', given: db, endpoint: { uid: 'any' }, expected: 'ingress' },
  ];
  for (const { name, given: facts, endpoint, expected } of rows) {
    test(name, () => {
      const model = createPolicyModel();
      put(model, db, facts);
      model.setEndpoint(ifName, { namespace: 'n', pod: 'db', ips: db.ips, ...endpoint });
      assert.equal(model.drain().endpoints[0]?.value?.ingress, expected);
    });
  }

  test('brings its address before the status has it, and in place of what the status has', () => {
    const model = loaded();
    const web = podNamed('web');
    const ips = [unwrap(parseIp('10.244.0.77'))];
    model.setEndpoint(hostIfName('n', 'web'), { namespace: 'n', pod: 'web', ips });
    const [change] = model.drain().sets;
    assert.deepEqual([change?.added, change?.removed], [ips, web.ips]);
  });

  test('takes its address from a pod that waits for a sandbox here and whose status still has it', () => {
    const model = loaded();
    const web = podNamed('web');
    model.setEndpoint(hostIfName('n', 'web'), { namespace: 'n', pod: 'web', ips: [] });
    assert.deepEqual(model.drain().sets, []);
    model.setEndpoint(hostIfName('n', 'new'), { namespace: 'n', pod: 'new', ips: web.ips });
    const given = model.drain();
    assert.deepEqual(
      given.sets.map(({ removed }) => removed),
      [web.ips],
    );
    assert.equal(given.canRevoke, true);
    model.setEndpoint(hostIfName('n', 'new'), undefined);
    assert.deepEqual(
      model.drain().sets.map(({ added }) => added),
      [web.ips],
    );
  });
});
