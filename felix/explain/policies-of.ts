// The policies among Kubernetes objects, as the policy model takes them in.
import { keyOf, type Resource } from '../../datastore/resources/index.ts';
import type { Policy, PolicyKey } from '../../policy/ir.ts';
import { createPolicyModel } from '../../policy/model/policy-model.ts';
import { feedPolicy } from '../model/feed-policy.ts';

/** Every kind of policy that the agent converts, by key. */
export function policiesOf(resources: Iterable<Resource>): ReadonlyMap<PolicyKey, Policy> {
  const policies = new Map<PolicyKey, Policy>();
  // Listens to what the agent's model would be told, so that no list of kinds is needed here.
  const listener = {
    ...createPolicyModel(),
    setPod: () => undefined,
    setPolicy: (key: PolicyKey, policy: Policy | undefined) => {
      if (policy !== undefined) policies.set(key, policy);
    },
  };
  for (const resource of resources) feedPolicy(listener, keyOf(resource), resource, undefined);
  return policies;
}
