// After any history of inputs, with drains anywhere, the accumulated outputs of the incremental model are those that
// brute force finds for the final inputs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { IfName } from '../../lib/linux/if-name.ts';
import { convertNetworkPolicy } from '../../policy/convert/network-policy.ts';
import { type Policy, type PolicyKey, TIERS } from '../../policy/ir.ts';
import { createPolicyModel } from '../../policy/model/policy-model.ts';
import type { Endpoint } from '../../policy/model/types.ts';
import type { Labels } from '../../policy/selector.ts';
import { type PodFacts, type PodKey, podKey } from '../../policy/world.ts';
import { endpoint, labels, NAMESPACES, networkPolicy, podFacts } from './arbitraries.ts';
import { naiveOutputs } from './naive-outputs.ts';
import { accumulate, noOutputs } from './outputs.ts';

type Step =
  | { readonly kind: 'namespace'; readonly name: string; readonly labels: Labels | undefined }
  | { readonly kind: 'pod'; readonly key: PodKey; readonly facts: PodFacts | undefined }
  | { readonly kind: 'policy'; readonly key: PolicyKey; readonly policy: Policy | undefined }
  | { readonly kind: 'endpoint'; readonly ifName: IfName; readonly endpoint: Endpoint | undefined }
  | { readonly kind: 'drain' };

const maybe = fc.integer({ min: 0, max: 3 }).map((n) => n > 0);

// NetworkPolicies as they are, and some that look like policies of other tiers with other actions.
const policy = fc
  .record({
    policy: networkPolicy.map(convertNetworkPolicy),
    tier: fc.constantFrom(TIERS.networkPolicy, TIERS.networkPolicy, TIERS.admin, TIERS.baseline),
    action: fc.constantFrom('allow' as const, 'deny' as const, 'pass' as const),
    order: fc.integer({ min: 0, max: 2 }),
  })
  .map(({ policy: base, tier, action, order }): Policy => {
    if (tier === TIERS.networkPolicy) return base;
    const acting = (rules: Policy['ingress']): Policy['ingress'] => rules?.map((rule) => ({ ...rule, action }));
    const [ingress, egress] = [acting(base.ingress), acting(base.egress)];
    return {
      key: base.key,
      tier,
      order,
      subject: base.subject,
      ...(ingress !== undefined && { ingress }),
      ...(egress !== undefined && { egress }),
    };
  });

const step: fc.Arbitrary<Step> = fc.oneof(
  fc
    .record({ name: fc.constantFrom(...NAMESPACES), labels, present: maybe })
    .map(({ name, labels: own, present }): Step => ({ kind: 'namespace', name, labels: present ? own : undefined })),
  {
    weight: 2,
    arbitrary: fc.record({ facts: podFacts, present: maybe }).map(
      ({ facts, present }): Step => ({
        kind: 'pod',
        key: podKey(facts.namespace, facts.name),
        facts: present ? facts : undefined,
      }),
    ),
  },
  {
    weight: 2,
    arbitrary: fc
      .record({ policy, present: maybe })
      .map(({ policy: one, present }): Step => ({ kind: 'policy', key: one.key, policy: present ? one : undefined })),
  },
  {
    weight: 2,
    arbitrary: fc.record({ endpoint, present: maybe }).map(
      ({ endpoint: [ifName, one], present }): Step => ({
        kind: 'endpoint',
        ifName,
        endpoint: present ? one : undefined,
      }),
    ),
  },
  fc.constant<Step>({ kind: 'drain' }),
);

test('createPolicyModel() after any history = brute force on the final inputs', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40, size: 'max' }), (steps) => {
      const model = createPolicyModel();
      const outputs = noOutputs();
      const inputs = {
        namespaces: new Map<string, Labels>(),
        pods: new Map<PodKey, PodFacts>(),
        policies: new Map<PolicyKey, Policy>(),
        endpoints: new Map<IfName, Endpoint>(),
      };
      for (const one of steps) {
        switch (one.kind) {
          case 'namespace':
            put(inputs.namespaces, one.name, one.labels);
            model.setNamespace(one.name, one.labels);
            break;
          case 'pod':
            put(inputs.pods, one.key, one.facts);
            model.setPod(one.key, one.facts);
            break;
          case 'policy':
            put(inputs.policies, one.key, one.policy);
            model.setPolicy(one.key, one.policy);
            break;
          case 'endpoint':
            put(inputs.endpoints, one.ifName, one.endpoint);
            model.setEndpoint(one.ifName, one.endpoint);
            break;
          case 'drain':
            accumulate(outputs, model.drain());
            break;
          default:
            one satisfies never;
        }
      }
      accumulate(outputs, model.drain());
      assert.deepEqual(outputs, naiveOutputs(inputs));
      const { canRevoke, ...rest } = model.drain();
      assert.deepEqual({ canRevoke, ...rest }, { canRevoke: false, sets: [], chains: [], profiles: [], endpoints: [] });
    }),
    { numRuns: 2000 },
  );
});

function put<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
