// Policies that their schemas refuse: what is in force of them, in words, and that damage never lets anybody in.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { closedPolicy } from '../../datastore/resources/closed-policy.ts';
import { keyOf, type Resource } from '../../datastore/resources/index.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import { convertPolicy, isPolicyResource, type PolicyResource } from '../../policy/convert/policy.ts';
import { describeRule, describeSubject } from '../../policy/explain/describe.ts';
import { policyProblems } from '../../policy/ir.ts';
import { verdict, type World } from '../../policy/oracle.ts';
import { podKey } from '../../policy/world.ts';
import { labels, NAMESPACES, podFacts, policyResource, randomPacket, worldNodes } from './arbitraries.ts';
import { createPipeline } from './pipeline.ts';

const read = (kind: 'NetworkPolicy' | 'ClusterNetworkPolicy', raw: unknown): PolicyResource =>
  asPolicy(closedPolicy(kind === 'NetworkPolicy' ? 'NetworkPolicy/shop/p' : 'ClusterNetworkPolicy/p', raw));

function asPolicy(resource: Resource | undefined): PolicyResource {
  assert.ok(resource !== undefined && isPolicyResource(resource));
  return resource;
}

/** Subject, tier and order, and the rules of both directions in words. */
function words(resource: PolicyResource) {
  const policy = convertPolicy(resource);
  const { tier, order, ingress, egress } = policy;
  return {
    subject: describeSubject(policy),
    place: `${tier.name} ${order}`,
    ...(ingress !== undefined && { ingress: ingress.map(describeRule) }),
    ...(egress !== undefined && { egress: egress.map(describeRule) }),
  };
}

const web = { matchLabels: { app: 'web' } };
const anyone = [{ namespaces: {} }];

describe('a NetworkPolicy that cannot be read', () => {
  const rows: readonly { readonly name: string; readonly given: unknown; readonly expected: object }[] = [
    {
      name: 'keeps the peers and ports that can be read',
      given: {
        podSelector: web,
        ingress: [
          { from: [{ podSelector: {} }, { ipBlock: { cidr: '10.0.0.0/33' } }], ports: [{ port: 80 }, { port: 0 }] },
        ],
      },
      expected: {
        subject: 'pods app=web of namespace shop',
        ingress: [
          'allow from all pods of namespace shop or nothing (from[1].ipBlock.cidr: CIDR "10.0.0.0/33": prefix length 33, expected at most 32) on tcp 80',
        ],
      },
    },
    {
      name: 'has a rule whose ports cannot be read match nothing',
      given: { podSelector: web, ingress: [{ ports: [{ port: 99999 }] }, { ports: [{ port: 80 }] }] },
      expected: {
        subject: 'pods app=web of namespace shop',
        ingress: ['allow from anybody on nothing', 'allow from anybody on tcp 80'],
      },
    },
    {
      name: 'isolates the namespace when its selector cannot be read',
      given: { podSelector: { matchExpressions: [{ key: 'a', operator: 'Near' }] }, ingress: [{}] },
      expected: {
        subject: 'all pods of namespace shop',
        ingress: [
          'allow from nothing (spec.podSelector.matchExpressions[0].operator: "Near", expected In, NotIn, Exists or DoesNotExist)',
        ],
      },
    },
    {
      name: 'isolates both directions when its types cannot be read, and allows in those it names',
      given: { podSelector: web, policyTypes: ['Ingress', 'Sideways'], ingress: [{}], egress: [{}] },
      expected: {
        subject: 'pods app=web of namespace shop',
        ingress: ['allow from anybody'],
        egress: ['allow to nothing (spec.policyTypes[1]: "Sideways", expected Ingress or Egress)'],
      },
    },
  ];
  for (const { name, given, expected } of rows) {
    test(name, () => {
      const policy = read('NetworkPolicy', { apiVersion: 'networking.k8s.io/v1', spec: given });
      assert.deepEqual(words(policy), { place: 'default 1000', ...expected });
    });
  }

  test('isolates the namespace in both directions when nothing of it can be read, and says why', () => {
    for (const raw of [undefined, null, 7, [], { apiVersion: 'networking.k8s.io/v1' }]) {
      const { subject, ingress, egress } = words(read('NetworkPolicy', raw));
      assert.equal(subject, 'all pods of namespace shop');
      assert.match(`${ingress} ${egress}`, /^allow from nothing \(.+\) allow to nothing \(.+\)$/);
    }
    const other = read('NetworkPolicy', {
      apiVersion: 'networking.k8s.io/v2',
      spec: { podSelector: web, ingress: [{}] },
    });
    assert.deepEqual(policyProblems(convertPolicy(other)), [
      'Cannot use ingress rule 0 of "NetworkPolicy/shop/p": apiVersion: "networking.k8s.io/v2", expected "networking.k8s.io/v1"',
    ]);
  });
});

describe('a ClusterNetworkPolicy that cannot be read', () => {
  const spec = { tier: 'Baseline', priority: 7, subject: { pods: { podSelector: web } } };
  const rows: readonly { readonly name: string; readonly given: object; readonly expected: object }[] = [
    {
      name: 'keeps the rules that can be read, and closes the others',
      given: {
        ...spec,
        egress: [
          { action: 'Accept', to: anyone },
          { action: 'Accept', to: [{ networks: ['10.0.0.0/33'] }] },
          { action: 'Log', to: anyone },
          { action: 'Pass' },
        ],
      },
      expected: {
        subject: 'pods app=web of all namespaces',
        place: 'kube-baseline 7',
        egress: [
          'allow to all pods of all namespaces',
          'allow to nothing (to[0].networks[0]: CIDR "10.0.0.0/33": prefix length 33, expected at most 32)',
          'deny to nothing (action: "Log", expected Accept, Deny or Pass)',
          'pass to nothing (to: is missing, expected a list)',
        ],
      },
    },
    {
      name: 'takes a priority of a newer API as a number',
      given: { ...spec, priority: 2000, ingress: [{ action: 'Deny', from: anyone }] },
      expected: {
        subject: 'pods app=web of all namespaces',
        place: 'kube-baseline 2000',
        ingress: ['deny from all pods of all namespaces'],
      },
    },
    {
      name: 'closes every rule, before all others, when nobody can tell its priority',
      given: {
        ...spec,
        priority: 'high',
        ingress: [
          { action: 'Accept', from: anyone },
          { action: 'Pass', from: anyone },
        ],
      },
      expected: {
        subject: 'pods app=web of all namespaces',
        place: 'kube-baseline -1',
        ingress: [
          'allow from nothing (spec.priority: "high", expected a number)',
          'pass from nothing (spec.priority: "high", expected a number)',
        ],
      },
    },
    {
      name: 'is of the first tier when its own cannot be read',
      given: { ...spec, tier: 'Middle', ingress: [{ action: 'Deny', from: anyone }] },
      expected: {
        subject: 'pods app=web of all namespaces',
        place: 'kube-admin 7',
        ingress: ['deny from nothing (spec.tier: "Middle", expected Admin or Baseline)'],
      },
    },
    {
      name: 'selects everybody when its subject cannot be read, and does nothing where it has no rules',
      given: { ...spec, subject: { galaxies: {} }, ingress: {} },
      expected: {
        subject: 'all pods of all namespaces',
        place: 'kube-baseline 7',
        ingress: ['deny from nothing (spec.subject: is empty, expected one of namespaces, pods)'],
      },
    },
  ];
  for (const { name, given, expected } of rows) {
    test(name, () => {
      const raw = { apiVersion: 'policy.networking.k8s.io/v1alpha2', spec: given };
      assert.deepEqual(words(read('ClusterNetworkPolicy', raw)), expected);
    });
  }
});

// All namespaces are known: a pod of another is closed where its namespace's labels count.
const world: fc.Arbitrary<World> = fc
  .record({
    namespaces: fc.tuple(...NAMESPACES.map((name) => labels.map((own) => [name, own] as const))),
    pods: fc.uniqueArray(podFacts, { selector: ({ namespace, name }) => podKey(namespace, name), maxLength: 9 }),
    policies: fc.uniqueArray(policyResource, { selector: keyOf, minLength: 1, maxLength: 4 }),
    nodes: worldNodes,
  })
  .map(({ nodes, namespaces, ...rest }) => ({ ...rest, ...nodes, namespaces: new Map(namespaces) }));

/** No field of any policy may have it. */
const GARBAGE = '\u0000';

test('damage to one place of one policy lets nothing pass that did not, in the oracle and in the rules', () => {
  const runs = Number(process.env['MARGAY_RUNS'] ?? 200);
  fc.assert(
    fc.property(
      world,
      fc.nat(),
      fc.nat(),
      fc.array(randomPacket, { minLength: 12, maxLength: 12 }),
      (given, which, where, packets) => {
        const [target] = given.policies.slice(which % given.policies.length);
        if (target === undefined) return;
        const raw = structuredClone(target) as object as Record<string, unknown>;
        damage(raw, where);
        const parsed = parseResource(raw);
        const damaged = asPolicy(parsed.ok ? parsed.value : closedPolicy(keyOf(target), raw));
        const after: World = { ...given, policies: given.policies.map((one) => (one === target ? damaged : one)) };
        const pipeline = createPipeline();
        pipeline.show(after);
        const judge = pipeline.judge();
        for (const one of packets) {
          const { allowed } = verdict(after, one);
          // Whoever a NetworkPolicy selects is out of the Baseline tier, and may reach itself.
          assert.ok(
            one.hairpin || !allowed || verdict(given, one).allowed,
            `${JSON.stringify(raw)} lets ${JSON.stringify(one)} pass`,
          );
          assert.equal(judge(one).combined, allowed, `${JSON.stringify(raw)}: ${JSON.stringify(one)}`);
        }
      },
    ),
    { numRuns: runs },
  );
});

/** Replaces the `where`-th value below `spec`, or spec itself, by garbage. */
function damage(raw: Record<string, unknown>, where: number): void {
  const places: (() => void)[] = [];
  const visit = (parent: Record<string, unknown>, field: string): void => {
    places.push(() => {
      parent[field] = GARBAGE;
    });
    const value = parent[field];
    if (typeof value !== 'object' || value === null) return;
    for (const inner of Object.keys(value)) visit(value as Record<string, unknown>, inner);
  };
  visit(raw, 'spec');
  places[where % places.length]?.();
}
