// The agent's model: every event in, the desired state of all drivers out. Synchronous and total; what it says depends
// on the present inputs alone.
//
//   resources ─┬─► policy model ─► renderer ─► nft objects (drainNft)
//   endpoints ─┤   (of pods that are bound here too, before they are attached)
//              └─► routing ─► routes, desired BGP
import { nodeAddresses } from '../../bgp/model/node-addresses.ts';
import { keyOf, type Resource, type ResourceKey } from '../../datastore/resources/index.ts';
import type { IpPool } from '../../datastore/resources/ip-pool.ts';
import type { Change } from '../../lib/change.ts';
import type { Ip } from '../../lib/ip.ts';
import type { IfName } from '../../lib/linux/if-name.ts';
import type { NftChange, NftKey, NftObject } from '../../lib/nftables/ast.ts';
import type { Labels } from '../../lib/selector/types.ts';
import { createPolicyModel } from '../../policy/model/policy-model.ts';
import type { Endpoint } from '../../policy/model/types.ts';
import type { Generation } from '../render/policy/generation.ts';
import { createPolicyRenderer, type RenderOptions } from '../render/policy/policy-renderer.ts';
import { allBgpPorts } from './bgp-ports.ts';
import { CONTAINER_NAMESPACE_KEY, createContainers } from './containers.ts';
import { createEndpoints, type EndpointView } from './endpoints.ts';
import type { Event } from './events.ts';
import { feedClosed } from './feed-closed.ts';
import { feedPolicy, podFactsOf, podKeyOf, problemsOf } from './feed-policy.ts';
import type { KeptPod } from './kept-pod.ts';
import { createResources, type Resources } from './resources.ts';
import { createRouting, type Routing } from './routing.ts';

export type Model = {
  readonly accept: (event: Event) => void;
  /** The first complete snapshot is in; before that nothing may be written. */
  readonly complete: () => boolean;
  /** Datastore version up to which the model has heard; empty before the snapshot. */
  readonly version: () => string;
  /** Changes of nft objects since the last call. `keep`: the generation stays, for the first comparison after a start. */
  readonly drainNft: (generation: 'keep' | 'bump-if-needed') => readonly NftChange[];
  readonly generation: () => Generation;
  /** Has every established flow judged anew; the changes of nft objects that do so. */
  readonly newGeneration: () => readonly NftChange[];
  readonly nftObjects: () => ReadonlyMap<NftKey, NftObject>;
  readonly explainEndpoint: (endpoint: EndpointView) => readonly NftKey[];
  /** Keys of what stands between the hooks and the profiles of endpoints. */
  readonly explainHooks: () => readonly NftKey[];
  /** The object that is in force. */
  readonly resource: (key: ResourceKey) => Resource | undefined;
  /** Every object that is in force, of every kind, and those that stand for containers without a pod. */
  readonly resources: () => Iterable<Resource>;
  readonly pools: () => readonly IpPool[];
  /** TCP ports of BGP besides 179, of nodes and of routers; the same array until an object changes. */
  readonly bgpPorts: () => readonly number[];
  /** What address management reads besides the pools. */
  readonly addressing: Pick<Resources, 'reservedCidrs' | 'ipamConfiguration' | 'leakGraceMs' | 'namespaceLabels'> & {
    /** Of the own Node; the same object until the Node changes. */
    readonly nodeLabels: () => Labels;
  };
  /** Own addresses; empty while the Node object is not known. */
  readonly nodeAddresses: () => readonly Ip[];
  readonly endpoints: () => readonly EndpointView[];
  readonly routing: Omit<Routing, 'accept' | 'resourcesChanged' | 'serviceChanged' | 'endpointRoutesChanged'>;
  /** Sentences about objects that cannot be used. */
  readonly problems: () => readonly string[];
};

/** `generation` is the one in the kernel's table, or the first one. */
export function createModel({ node, ...rendering }: { readonly node: string } & RenderOptions): Model {
  const resources = createResources(node);
  const endpoints = createEndpoints(node);
  const containers = createContainers(node);
  const routing = createRouting(node, resources, endpoints.routes);
  const policy = createPolicyModel();
  const renderer = createPolicyRenderer(rendering);
  feedPolicy(policy, CONTAINER_NAMESPACE_KEY, containers.get(CONTAINER_NAMESPACE_KEY));
  let version: string | undefined;
  let bgpPorts: readonly number[] | undefined;
  // Since the last drain: flows may go where none may any more.
  let closes = false;
  const ownNode = () => resources.nodes().find(({ metadata }) => metadata.name === node);

  const feedRouting = (key: ResourceKey, resource: Resource | KeptPod | undefined): void => {
    const [kind, namespace, name] = key.split('/');
    if (kind === 'Service' || kind === 'EndpointSlice') {
      const object = resource?.kind === 'Service' || resource?.kind === 'EndpointSlice' ? resource : undefined;
      routing.serviceChanged(kind, `${namespace}/${name}`, object);
    } else routing.resourcesChanged();
  };

  const tellEndpoints = (changes: readonly Change<IfName, Endpoint>[]): void => {
    for (const { key, value } of changes) policy.setEndpoint(key, value);
  };

  return {
    accept: (event) => {
      switch (event.kind) {
        case 'resource': {
          const stored = resources.accept(event.change, event.error);
          const resource = stored ?? containers.get(event.change.key);
          if (!feedPolicy(policy, event.change.key, resource)) feedRouting(event.change.key, resource);
          if (event.change.key.startsWith('Pod/')) {
            tellEndpoints(endpoints.expect(podKeyOf(event.change.key), podFactsOf(stored)));
          }
          if (feedClosed(renderer, event.change.key, resource)) closes = true;
          if (/^BGP(Configuration|Peer)\//.test(event.change.key)) bgpPorts = undefined;
          if (version !== undefined) version = event.version;
          break;
        }
        case 'in-sync':
          version = event.version;
          break;
        case 'attached':
        case 'detached':
          for (const change of endpoints.accept(event)) {
            tellEndpoints([change]);
            const container = containers.accept(event);
            if (container !== undefined)
              feedPolicy(policy, container, resources.get(container) ?? containers.get(container));
          }
          routing.endpointRoutesChanged(endpoints.takeRouteChanges());
          break;
        default:
          routing.accept(event);
      }
    },
    complete: () => version !== undefined,
    version: () => version ?? '',
    drainNft: (mode) => {
      const changes = policy.drain();
      const canRevoke = mode === 'bump-if-needed' && (changes.canRevoke || closes);
      closes = false;
      return renderer.apply({ ...changes, canRevoke });
    },
    generation: renderer.generation,
    newGeneration: () => renderer.apply({ sets: [], chains: [], profiles: [], endpoints: [], canRevoke: true }),
    nftObjects: renderer.objects,
    explainEndpoint: ({ ifName }) => renderer.explainEndpoint(ifName),
    explainHooks: renderer.explainHooks,
    resource: resources.get,
    resources: function* () {
      yield* resources.all();
      for (const each of containers.all()) if (resources.get(keyOf(each)) === undefined) yield each;
    },
    pools: resources.pools,
    bgpPorts: () => {
      bgpPorts ??= allBgpPorts(resources);
      return bgpPorts;
    },
    addressing: {
      ...resources,
      nodeLabels: () => ownNode()?.metadata.labels ?? NO_LABELS,
    },
    nodeAddresses: () => {
      const own = ownNode();
      const addresses = own === undefined ? undefined : nodeAddresses(own);
      return addresses?.ok ? [addresses.value.v4, addresses.value.v6].filter((ip) => ip !== undefined) : [];
    },
    endpoints: endpoints.list,
    routing,
    problems: () => [
      ...resources.problems(),
      ...[...resources.allButPods()].flatMap(problemsOf),
      ...routing.problems(),
    ],
  };
}

const NO_LABELS: Labels = {};
