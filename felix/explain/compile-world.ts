// Kubernetes objects to the table that an agent would have in its kernel: the agent's own path from objects to rules, in
// one step and for whichever pods are called local.
import { keyOf, type Resource } from '../../datastore/resources/index.ts';
import type { Ip } from '../../lib/ip.ts';
import { hostIfName, type IfName } from '../../lib/linux/if-name.ts';
import type { NftKey, NftObject } from '../../lib/nftables/ast.ts';
import { convertPod } from '../../policy/convert/pod.ts';
import { createPolicyModel } from '../../policy/model/policy-model.ts';
import { ownsAddresses, type PodFacts } from '../../policy/world.ts';
import { feedClosed } from '../model/feed-closed.ts';
import { feedPolicy } from '../model/feed-policy.ts';
import { FIRST_GENERATION } from '../render/policy/generation.ts';
import { createPolicyRenderer } from '../render/policy/policy-renderer.ts';

/** A pod that has an interface, and its name. */
export type CompiledEndpoint = {
  readonly namespace: string;
  readonly pod: string;
  readonly ips: readonly Ip[];
  readonly interface: IfName;
};

export type CompiledWorld = {
  readonly objects: ReadonlyMap<NftKey, NftObject>;
  /** In the order of namespace and name. */
  readonly endpoints: readonly CompiledEndpoint[];
};

/** Compiles for a node that runs the pods for which `isLocal` holds. Pods without addresses of their own have no part. */
export function compileWorld(resources: Iterable<Resource>, isLocal: (pod: PodFacts) => boolean): CompiledWorld {
  const model = createPolicyModel();
  const renderer = createPolicyRenderer({ generation: FIRST_GENERATION });
  const endpoints: CompiledEndpoint[] = [];
  for (const resource of resources) {
    feedPolicy(model, keyOf(resource), resource);
    feedClosed(renderer, keyOf(resource), resource);
    if (resource.kind !== 'Pod') continue;
    const facts = convertPod(resource);
    if (!ownsAddresses(facts) || facts.ips.length === 0 || !isLocal(facts)) continue;
    const { namespace, name, ips } = facts;
    endpoints.push({ namespace, pod: name, ips, interface: hostIfName(namespace, name) });
  }
  for (const { namespace, pod, ips, interface: ifName } of endpoints) {
    model.setEndpoint(ifName, { namespace, pod, ips });
  }
  // Nothing was in force before, so there is nothing to revoke.
  renderer.apply({ ...model.drain(), canRevoke: false });
  return { objects: renderer.objects(), endpoints: endpoints.sort(byName) };
}

function byName(a: CompiledEndpoint, b: CompiledEndpoint): number {
  const [left, right] = [`${a.namespace}/${a.pod}`, `${b.namespace}/${b.pod}`];
  return left < right ? -1 : left > right ? 1 : 0;
}
