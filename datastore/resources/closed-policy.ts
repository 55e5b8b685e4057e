// What is in force of a stored policy that its schema refuses, as one of a newer API may be: what can be read of it
// counts, and what cannot is closed, so that nobody is let in by what nobody here understands.
import { closedClusterPolicy } from './closed-cluster-policy.ts';
import { closedNetworkPolicy } from './closed-network-policy.ts';
import { isRecord } from './closed-part.ts';
import { KINDS, type Resource, type ResourceKey } from './index.ts';
import { withoutNulls } from './parse.ts';

/**
 * The closed reading of the object with that key; absent for kinds that are no policies. `raw` is what is stored;
 * absent: that is not even JSON, and then nothing of it can be read.
 */
export function closedPolicy(key: ResourceKey, raw: unknown): Resource | undefined {
  const [kind, first = '', second = ''] = key.split('/');
  const given = withoutNulls(raw);
  const { apiVersion, spec } = isRecord(given) ? given : {};
  if (kind === 'NetworkPolicy') {
    return closedNetworkPolicy({ namespace: first, name: second }, spec, doubtOf(apiVersion, KINDS[kind].apiVersion));
  }
  if (kind === 'ClusterNetworkPolicy') {
    return closedClusterPolicy({ name: first }, spec, doubtOf(apiVersion, KINDS[kind].apiVersion));
  }
  return undefined;
}

const doubtOf = (given: unknown, expected: string): string | undefined =>
  given === expected ? undefined : `apiVersion: ${JSON.stringify(given) ?? 'is missing'}, expected "${expected}"`;
