// Random histories of inputs of the policy model: repeats, reversals, spurious removals, references to what is not
// there, and drains anywhere.
import fc from 'fast-check';
import type { IfName } from '../../lib/linux/if-name.ts';
import { convertPolicy } from '../../policy/convert/policy.ts';
import type { Policy, PolicyKey } from '../../policy/ir.ts';
import type { Endpoint, PolicyModel } from '../../policy/model/types.ts';
import type { Labels } from '../../policy/selector.ts';
import { type NodeFacts, type PodFacts, type PodKey, podKey } from '../../policy/world.ts';
import { endpoint, labels, NAMESPACES, NODES, nodeFacts, podFacts, policyResource } from './arbitraries.ts';

export type Step =
  | { readonly kind: 'namespace'; readonly name: string; readonly labels: Labels | undefined }
  | { readonly kind: 'pod'; readonly key: PodKey; readonly facts: PodFacts | undefined }
  | { readonly kind: 'node'; readonly name: string; readonly facts: NodeFacts | undefined }
  | { readonly kind: 'policy'; readonly key: PolicyKey; readonly policy: Policy | undefined }
  | { readonly kind: 'endpoint'; readonly ifName: IfName; readonly endpoint: Endpoint | undefined }
  | { readonly kind: 'drain' };

const maybe = fc.integer({ min: 0, max: 3 }).map((n) => n > 0);

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
      .record({ policy: policyResource.map(convertPolicy), present: maybe })
      .map(({ policy: one, present }): Step => ({ kind: 'policy', key: one.key, policy: present ? one : undefined })),
  },
  fc
    .record({ name: fc.constantFrom(...NODES), facts: nodeFacts, present: maybe })
    .map(({ name, facts, present }): Step => ({ kind: 'node', name, facts: present ? facts : undefined })),
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

/** A history; with up to 40 steps most inputs meet most others. */
export const history = fc.array(step, { maxLength: 40, size: 'max' });

/** What is there after a history. */
export type Inputs = {
  readonly namespaces: Map<string, Labels>;
  readonly pods: Map<PodKey, PodFacts>;
  readonly nodes: Map<string, NodeFacts>;
  readonly policies: Map<PolicyKey, Policy>;
  readonly endpoints: Map<IfName, Endpoint>;
};

/** Plays a history into a model and answers the final inputs; `onDrain` is called where the history says so. */
export function play(steps: readonly Step[], model: PolicyModel, onDrain: () => void): Inputs {
  const inputs: Inputs = {
    namespaces: new Map(),
    pods: new Map(),
    nodes: new Map(),
    policies: new Map(),
    endpoints: new Map(),
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
      case 'node':
        put(inputs.nodes, one.name, one.facts);
        model.setNode(one.name, one.facts);
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
        onDrain();
        break;
      default:
        one satisfies never;
    }
  }
  return inputs;
}

/** Puts inputs into a model in one go. */
export function load(inputs: Inputs, model: PolicyModel): void {
  for (const [key, policy] of inputs.policies) model.setPolicy(key, policy);
  for (const [name, facts] of inputs.nodes) model.setNode(name, facts);
  for (const [name, own] of inputs.namespaces) model.setNamespace(name, own);
  for (const [key, facts] of inputs.pods) model.setPod(key, facts);
  for (const [ifName, one] of inputs.endpoints) model.setEndpoint(ifName, one);
}

function put<K, V>(map: Map<K, V>, key: K, value: V | undefined): void {
  if (value === undefined) map.delete(key);
  else map.set(key, value);
}
