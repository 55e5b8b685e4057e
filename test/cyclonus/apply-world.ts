// Makes a world of the generated cases true in a datastore, by the writes that a user would do: what differs from the
// world before is created, updated or deleted.
import { isDeepStrictEqual } from 'node:util';
import { parseResource } from '../../datastore/resources/parse.ts';
import type { Store } from '../../datastore/store.ts';
import { unwrap } from '../../lib/result.ts';
import type { World } from '../../policy/oracle.ts';
import { type PodFacts, podKey } from '../../policy/world.ts';

/** Where the pods of the test are, and where those are that have no `node`. */
export const LOCAL_NODE = 'node1';
const REMOTE_NODE = 'node2';

/** Writes what differs between two answers of `worldObjects`. @throws StoreError */
export async function applyWorld(store: Store, before: WorldObjects, after: WorldObjects): Promise<void> {
  for (const change of changes(before, after)) {
    const resource = unwrap(parseResource(change.object));
    const { kind, metadata } = resource;
    const namespace = 'namespace' in metadata ? metadata.namespace : undefined;
    if (change.kind === 'create') await store.create(resource);
    else if (change.kind === 'update') await store.update(resource);
    else await store.delete(kind, namespace as string | undefined, metadata.name);
  }
}

/** Objects as users write them, by a text that tells them apart. */
export type WorldObjects = ReadonlyMap<string, object>;

type Change = { readonly kind: 'create' | 'update' | 'delete'; readonly object: object };

// Namespaces come before what is in them, and go after it.
function changes(before: WorldObjects, after: WorldObjects): readonly Change[] {
  const gone = [...before].filter(([key]) => !after.has(key)).reverse();
  return [
    ...gone.map(([, object]): Change => ({ kind: 'delete', object })),
    ...[...after].flatMap(([key, object]): Change[] => {
      if (!before.has(key)) return [{ kind: 'create', object }];
      return isDeepStrictEqual(before.get(key), object) ? [] : [{ kind: 'update', object }];
    }),
  ];
}

/** The objects that make up a world; `ipsOf` gives a pod's addresses, in place of the world's. */
export function worldObjects(
  { namespaces, pods, policies, nodes, nodeLabels }: World,
  ipsOf: (pod: PodFacts) => readonly string[],
): WorldObjects {
  const objects = new Map<string, object>();
  for (const [name, labels] of namespaces) {
    objects.set(`namespace ${name}`, { apiVersion: 'v1', kind: 'Namespace', metadata: { name, labels } });
  }
  for (const [name, ips] of nodes ?? []) {
    // The agent's own node stays what the agent was started with.
    if (name === LOCAL_NODE) continue;
    const status = { addresses: ips.map((address) => ({ type: 'InternalIP', address })) };
    const metadata = { name, labels: nodeLabels?.get(name) ?? {} };
    objects.set(`node ${name}`, { apiVersion: 'v1', kind: 'Node', metadata, status });
  }
  // A namespace that goes takes with it what is in it.
  for (const pod of pods) {
    if (!namespaces.has(pod.namespace)) continue;
    objects.set(`pod ${podKey(pod.namespace, pod.name)}`, podObject(pod, ipsOf(pod)));
  }
  for (const policy of policies) {
    const { name } = policy.metadata;
    const namespace = policy.kind === 'NetworkPolicy' ? policy.metadata.namespace : '';
    if (policy.kind === 'NetworkPolicy' && !namespaces.has(namespace)) continue;
    objects.set(`${policy.kind} ${namespace}/${name}`, policy);
  }
  return objects;
}

// As the kubelet would have it.
function podObject(pod: PodFacts, ips: readonly string[]): object {
  const { namespace, name, labels, ports, node = REMOTE_NODE, hostNetwork, finished } = pod;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { namespace, name, labels },
    spec: {
      nodeName: node,
      hostNetwork,
      containers: [
        {
          name: 'serve',
          ports: ports.map((port) => ({
            name: port.name,
            containerPort: port.port,
            protocol: port.protocol.toUpperCase(),
          })),
        },
      ],
    },
    status: { phase: finished ? 'Succeeded' : 'Running', podIPs: ips.map((ip) => ({ ip })) },
  };
}
