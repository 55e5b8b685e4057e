// The policy table that the objects of a datastore ask for, built from nothing in one step.

import { keyOf, type Resource } from '../../datastore/resources/index.ts';
import { feedClosed } from '../../felix/model/feed-closed.ts';
import { feedPolicy } from '../../felix/model/feed-policy.ts';
import type { Generation } from '../../felix/render/policy/generation.ts';
import { createPolicyRenderer } from '../../felix/render/policy/policy-renderer.ts';
import type { IfName } from '../../lib/linux/if-name.ts';
import type { NftKey, NftObject } from '../../lib/nftables/ast.ts';
import { createPolicyModel } from '../../policy/model/policy-model.ts';
import type { Endpoint } from '../../policy/model/types.ts';

/** The table carries `generation`, so that only what it says can differ from another table. */
export function freshTable(options: {
  readonly resources: Iterable<Resource>;
  readonly endpoints: ReadonlyMap<IfName, Endpoint>;
  readonly generation: Generation;
}): ReadonlyMap<NftKey, NftObject> {
  const { resources, endpoints, generation } = options;
  const model = createPolicyModel();
  const renderer = createPolicyRenderer({ generation });
  for (const resource of resources) {
    feedPolicy(model, keyOf(resource), resource);
    feedClosed(renderer, keyOf(resource), resource);
  }
  for (const [ifName, endpoint] of endpoints) model.setEndpoint(ifName, endpoint);
  renderer.apply({ ...model.drain(), canRevoke: false });
  return renderer.objects();
}
