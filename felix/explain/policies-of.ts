// The policies among Kubernetes objects, in the form in which everything is computed from them.
import type { Resource } from '../../datastore/resources/index.ts';
import { convertPolicy, isPolicyResource } from '../../policy/convert/policy.ts';
import type { Policy, PolicyKey } from '../../policy/ir.ts';

/** Policies of every kind, by key. */
export function policiesOf(resources: Iterable<Resource>): ReadonlyMap<PolicyKey, Policy> {
  const policies = new Map<PolicyKey, Policy>();
  for (const resource of resources) {
    if (!isPolicyResource(resource)) continue;
    const policy = convertPolicy(resource);
    policies.set(policy.key, policy);
  }
  return policies;
}
