// The one door for policies of every kind into the IR.
import type { ClusterNetworkPolicy } from '../../datastore/resources/cluster-network-policy.ts';
import type { Resource } from '../../datastore/resources/index.ts';
import type { NetworkPolicy } from '../../datastore/resources/network-policy.ts';
import type { Policy } from '../ir.ts';
import { convertClusterNetworkPolicy } from './cluster-network-policy.ts';
import { convertNetworkPolicy } from './network-policy.ts';

/** An object that is a policy. */
export type PolicyResource = NetworkPolicy | ClusterNetworkPolicy;

export const isPolicyResource = (resource: Resource): resource is PolicyResource =>
  resource.kind === 'NetworkPolicy' || resource.kind === 'ClusterNetworkPolicy';

export function convertPolicy(resource: PolicyResource): Policy {
  switch (resource.kind) {
    case 'NetworkPolicy':
      return convertNetworkPolicy(resource);
    case 'ClusterNetworkPolicy':
      return convertClusterNetworkPolicy(resource);
    default:
      return resource satisfies never;
  }
}
