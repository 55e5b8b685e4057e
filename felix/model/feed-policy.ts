// Hands the datastore's objects to the policy model, as the facts that policy depends on.
import type { Resource, ResourceKey } from '../../datastore/resources/index.ts';
import { convertNode } from '../../policy/convert/node.ts';
import { convertPod } from '../../policy/convert/pod.ts';
import { convertPolicy, isPolicyResource } from '../../policy/convert/policy.ts';
import { type PolicyKey, policyProblems, TIERS } from '../../policy/ir.ts';
import type { PolicyModel } from '../../policy/model/types.ts';
import { ALL } from '../../policy/selector.ts';
import { podKey } from '../../policy/world.ts';

/**
 * Returns whether the kind is one that only policy depends on. `resource` is absent when the object is gone, and, with
 * `error`, when it never had a usable form: a NetworkPolicy that cannot be read then denies all to its whole namespace,
 * since nobody can tell which pods it meant to isolate. A ClusterNetworkPolicy isolates nobody by itself; one that
 * cannot be read has no effect, rather than take down the cluster.
 */
export function feedPolicy(
  policy: PolicyModel,
  key: ResourceKey,
  resource: Resource | undefined,
  error: string | undefined,
): boolean {
  const [kind, first = '', second = ''] = key.split('/');
  switch (kind) {
    case 'Namespace':
      policy.setNamespace(first, resource?.kind === 'Namespace' ? (resource.metadata.labels ?? {}) : undefined);
      return true;
    case 'Pod':
      policy.setPod(podKey(first, second), resource?.kind === 'Pod' ? convertPod(resource) : undefined);
      return true;
    case 'Node':
      policy.setNode(first, resource?.kind === 'Node' ? convertNode(resource) : undefined);
      return false;
    case 'NetworkPolicy':
    case 'ClusterNetworkPolicy': {
      const converted = resource !== undefined && isPolicyResource(resource) ? convertPolicy(resource) : undefined;
      const policyKey = key as string as PolicyKey;
      const unreadable = error !== undefined && kind === 'NetworkPolicy';
      policy.setPolicy(policyKey, converted ?? (unreadable ? denyNamespace(policyKey, first) : undefined));
      return true;
    }
    default:
      return false;
  }
}

const denyNamespace = (key: PolicyKey, namespace: string) => ({
  key,
  tier: TIERS.networkPolicy,
  order: 1000,
  subject: { namespaces: { kind: 'name', name: namespace }, pods: ALL } as const,
  ingress: [],
  egress: [],
});

/** Sentences about the parts of a policy that are not in force as written. */
export const problemsOf = (resource: Resource): readonly string[] =>
  isPolicyResource(resource) ? policyProblems(convertPolicy(resource)) : [];
