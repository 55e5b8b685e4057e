// Hands the datastore's objects to the policy model, as the facts that policy depends on.
import type { Resource, ResourceKey } from '../../datastore/resources/index.ts';
import { convertNode } from '../../policy/convert/node.ts';
import { convertPod } from '../../policy/convert/pod.ts';
import { convertPolicy, isPolicyResource } from '../../policy/convert/policy.ts';
import { type PolicyKey, policyProblems } from '../../policy/ir.ts';
import type { PolicyModel } from '../../policy/model/types.ts';
import type { PodFacts, PodKey } from '../../policy/world.ts';
import type { KeptPod } from './kept-pod.ts';

/** Returns whether the kind is one that only policy depends on. `resource` is absent when the object is gone. */
export function feedPolicy(policy: PolicyModel, key: ResourceKey, resource: Resource | KeptPod | undefined): boolean {
  const [kind, first = ''] = key.split('/');
  switch (kind) {
    case 'Namespace':
      policy.setNamespace(first, resource?.kind === 'Namespace' ? (resource.metadata.labels ?? {}) : undefined);
      return true;
    case 'Pod':
      policy.setPod(podKeyOf(key), podFactsOf(resource));
      return true;
    case 'Node':
      policy.setNode(first, resource?.kind === 'Node' ? convertNode(resource) : undefined);
      return false;
    case 'NetworkPolicy':
    case 'ClusterNetworkPolicy': {
      const converted =
        resource !== undefined && resource.kind !== 'KeptPod' && isPolicyResource(resource)
          ? convertPolicy(resource)
          : undefined;
      policy.setPolicy(key as string as PolicyKey, converted);
      return true;
    }
    default:
      return false;
  }
}

/** Of the key of a Pod. */
export const podKeyOf = (key: ResourceKey): PodKey => key.slice('Pod/'.length) as PodKey;

/** Absent for what is no Pod. */
export function podFactsOf(resource: Resource | KeptPod | undefined): PodFacts | undefined {
  if (resource?.kind === 'KeptPod') return resource.facts;
  return resource?.kind === 'Pod' ? convertPod(resource) : undefined;
}

/** Sentences about the parts of a policy that are not in force as written. */
export const problemsOf = (resource: Resource): readonly string[] =>
  isPolicyResource(resource) ? policyProblems(convertPolicy(resource)) : [];
