// Tells the renderer what nodes keep from pods: where their BGP speakers are, and service addresses that nobody serves.
import { nodeAddress } from '../../bgp/model/node-addresses.ts';
import { allServiceRanges, serviceRanges } from '../../bgp/model/service-ranges.ts';
import { BGP_CONFIGURATION_NAME } from '../../datastore/resources/bgp-configuration.ts';
import type { Resource, ResourceKey } from '../../datastore/resources/index.ts';
import type { Node } from '../../datastore/resources/node.ts';
import type { Ip } from '../../lib/ip.ts';
import { convertNode } from '../../policy/convert/node.ts';
import type { Closes, PolicyRenderer } from '../render/policy/types.ts';
import type { KeptPod } from './kept-pod.ts';

/** Other kinds than Node and BGPConfiguration are passed over. `resource` is absent when the object is gone. */
export function feedClosed(
  renderer: Pick<PolicyRenderer, 'setNode' | 'closeBgpPort' | 'closeServices'>,
  key: ResourceKey,
  resource: Resource | KeptPod | undefined,
): Closes {
  const [kind, name = ''] = key.split('/');
  if (kind === 'Node') return renderer.setNode(name, resource?.kind === 'Node' ? addressesOf(resource) : []);
  if (kind !== 'BGPConfiguration') return false;
  const configuration = resource?.kind === 'BGPConfiguration' ? resource : undefined;
  const closesPort = renderer.closeBgpPort(name, configuration?.spec.listenPort);
  if (name !== BGP_CONFIGURATION_NAME) return closesPort;
  return renderer.closeServices(allServiceRanges(serviceRanges(configuration, undefined))) || closesPort;
}

/** Of its status, and those that annotations name for BGP. */
function addressesOf(node: Node): readonly Ip[] {
  const annotated = ([4, 6] as const).map((family) => nodeAddress(node, family));
  return [...convertNode(node).ips, ...annotated.flatMap((address) => (address.ok ? [address.value] : []))];
}
