// Workload endpoints of this node. A pod's host interface name depends on its name alone, so a new sandbox of the same
// pod takes the place of the old one, and what comes late about the old one is ignored. A pod that is bound to the node
// is an endpoint without addresses until it is attached: its chains and sets are in the kernel when its ADD comes.
import type { Attachment } from '../../cni/attachment.ts';
import type { Change } from '../../lib/change.ts';
import type { Cidr } from '../../lib/cidr.ts';
import type { Ip } from '../../lib/ip.ts';
import { type IfName, hostIfName as ifNameOfPod } from '../../lib/linux/if-name.ts';
import type { Endpoint } from '../../policy/model/types.ts';
import { ownsAddresses, type PodFacts, type PodKey } from '../../policy/world.ts';
import { hostRoute } from './route.ts';

export type EndpointView = {
  readonly ifName: IfName;
  readonly namespace: string;
  readonly pod: string;
  readonly ips: readonly Ip[];
};

export type Endpoints = {
  /** Takes a wiring or its end; returns what the policy model must hear. */
  readonly accept: (event: {
    readonly kind: 'attached' | 'detached';
    readonly attachment: Attachment;
  }) => readonly Change<IfName, Endpoint>[];
  /** Takes what is known of a pod of any node, absent when it is gone; returns what the policy model must hear. */
  readonly expect: (key: PodKey, facts: PodFacts | undefined) => readonly Change<IfName, Endpoint>[];
  /** Host routes that changed since the last call; `undefined`: gone. */
  readonly takeRouteChanges: () => ReadonlyMap<Cidr, IfName | undefined>;
  readonly routes: () => ReadonlyMap<Cidr, IfName>;
  /** Those that are attached. */
  readonly list: () => readonly EndpointView[];
};

/** `node`: the own one. */
export function createEndpoints(node: string): Endpoints {
  // The names too, since a hash for each pod of the cluster takes its time.
  const boundNames = new Map<PodKey, IfName>();
  const bound = new Map<IfName, Endpoint>();
  const attachments = new Map<IfName, Attachment>();
  const routes = new Map<Cidr, IfName>();
  let changed = new Map<Cidr, IfName | undefined>();
  const dropRoutes = (ifName: IfName, ips: readonly Ip[]): void => {
    for (const dst of ips.map(hostRoute)) {
      if (routes.get(dst) !== ifName) continue;
      routes.delete(dst);
      changed.set(dst, undefined);
    }
  };
  return {
    accept: ({ kind, attachment }) => {
      const { hostIfName, namespace, pod, uid, ips } = attachment;
      const before = attachments.get(hostIfName);
      if (kind === 'detached') {
        if (before?.handle !== attachment.handle) return [];
        attachments.delete(hostIfName);
        dropRoutes(hostIfName, before.ips);
        return [{ key: hostIfName, value: bound.get(hostIfName) }];
      }
      if (before !== undefined) dropRoutes(hostIfName, before.ips);
      attachments.set(hostIfName, attachment);
      for (const dst of ips.map(hostRoute)) {
        routes.set(dst, hostIfName);
        changed.set(dst, hostIfName);
      }
      return [{ key: hostIfName, value: { namespace, pod, ips, ...(uid === undefined ? {} : { uid }) } }];
    },
    expect: (key, facts) => {
      const isBound = facts?.node === node && ownsAddresses(facts);
      const known = boundNames.get(key);
      if (!isBound && known === undefined) return [];
      const ifName = known ?? hostIfNameOf(key);
      if (isBound) {
        const { namespace, name: pod, uid } = facts;
        boundNames.set(key, ifName);
        bound.set(ifName, { namespace, pod, ips: [], ...(uid === undefined ? {} : { uid }) });
      } else {
        boundNames.delete(key);
        bound.delete(ifName);
      }
      return attachments.has(ifName) ? [] : [{ key: ifName, value: bound.get(ifName) }];
    },
    takeRouteChanges: () => {
      const taken = changed;
      changed = new Map();
      return taken;
    },
    routes: () => routes,
    list: () =>
      [...attachments.values()].map(({ hostIfName, namespace, pod, ips }) => ({
        ifName: hostIfName,
        namespace,
        pod,
        ips,
      })),
  };
}

function hostIfNameOf(key: PodKey): IfName {
  const slash = key.indexOf('/');
  return ifNameOfPod(key.slice(0, slash), key.slice(slash + 1));
}
