// What to make of pods that the kernel has and the journal does not know, because it was lost. The kernel says which
// addresses lead to which link, the link's alias says whose it is, and the datastore says which pod has a link of that
// name: names of links cannot be read backwards. A container without a pod is the one of its link's alias.
import { type Pod, podIps } from '../datastore/resources/pod.ts';
import { CONTAINER_NAMESPACE, type Handle, partsOf } from '../ipam/handle.ts';
import type { AdoptRequest } from '../ipam/ipam.ts';
import type { Ip } from '../lib/ip.ts';
import { hostIfName, type IfName } from '../lib/linux/if-name.ts';
import { convertPod } from '../policy/convert/pod.ts';

/** A host end of ours that is not being deleted, with the addresses that the kernel routes to it. */
export type FoundLink = { readonly name: string; readonly alias?: string | undefined; readonly ips: readonly Ip[] };

export type LostPlan = {
  /** Those that no Pod claims are `assigned`: their addresses are held until DEL or GC names the handle. */
  readonly adopt: readonly AdoptRequest[];
  /** Not signed, or without any address: nothing can be written down, and their addresses are only kept out. */
  readonly unidentified: readonly { readonly name: string; readonly ips: readonly Ip[]; readonly why: string }[];
};

export function planAdoption(given: {
  readonly node: string;
  readonly links: readonly FoundLink[];
  readonly pods: readonly Pod[];
  /** Handles that the journal knows. */
  readonly known: ReadonlySet<Handle>;
}): LostPlan {
  const byLink = new Map<string, Pod>(
    given.pods
      .filter(({ spec }) => spec.nodeName === given.node && spec.hostNetwork !== true)
      .map((pod) => [hostIfName(pod.metadata.namespace, pod.metadata.name), pod]),
  );
  const adopt: AdoptRequest[] = [];
  const unidentified: LostPlan['unidentified'][number][] = [];
  for (const { name, alias, ips } of given.links) {
    const handle = (alias ?? '') as Handle;
    if (given.known.has(handle)) continue;
    const pod = byLink.get(name);
    const { containerId, ifName } = partsOf(handle);
    const told = pod === undefined ? [] : podIps(pod);
    const found = ips.length > 0 ? ips : told;
    const link = { handle, ips: found, netns: '', hostIfName: name as IfName };
    if (containerId === '' || ifName === '') unidentified.push({ name, ips: found, why: 'it is not signed' });
    else if (found.length === 0) unidentified.push({ name, ips, why: 'nothing says which address it has' });
    else if (name === hostIfName(CONTAINER_NAMESPACE, containerId))
      adopt.push({ ...link, namespace: CONTAINER_NAMESPACE, pod: containerId, state: 'attached' });
    else if (pod === undefined) adopt.push({ ...link, namespace: '', pod: '', state: 'assigned' });
    else {
      // What the runtime knows it by: the object of a static pod has another uid.
      const { namespace, name: podName, uid } = convertPod(pod);
      // Another address means another sandbox, perhaps of an earlier pod of this name.
      const isSame = uid !== undefined && found.every((ip) => told.includes(ip));
      adopt.push({ ...link, namespace, pod: podName, ...(isSame ? { uid } : {}), state: 'attached' });
    }
  }
  return { adopt, unidentified };
}
