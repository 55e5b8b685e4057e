// Keeps as many route reflectors in each zone as BGPConfiguration `default` asks for: watches nodes, and writes annotations.
// Nothing is remembered: a controller that restarts, or a second one beside it, comes to the same.
import { chooseReflectors } from '../bgp/model/choose-reflectors.ts';
import { BGP_CONFIGURATION_NAME, type BgpConfiguration } from '../datastore/resources/bgp-configuration.ts';
import type { ResourceKey } from '../datastore/resources/index.ts';
import {
  NODE_CHOSEN_REFLECTOR_ANNOTATION,
  NODE_CLUSTER_ID_ANNOTATION,
  type Node,
} from '../datastore/resources/node.ts';
import { type Store, StoreError } from '../datastore/store.ts';
import type { Log } from '../lib/log.ts';
import { parseSelector } from '../lib/selector/parse-selector.ts';
import { selectorMatches } from '../lib/selector/selector-matches.ts';
import { keepTrying } from './keep-trying.ts';

/** How often the clock alone may let a reflector go, in milliseconds. */
const LOOK_MS = 5000;

export type ReflectorsOptions = {
  readonly store: Store;
  readonly log: Log;
  /** How long a new reflector takes until all nodes have their sessions with it, in milliseconds. */
  readonly settleMs: number;
  readonly signal: AbortSignal;
};

/** Ends when `signal` aborts. */
export const keepReflectors = (options: ReflectorsOptions): Promise<void> => keepTrying(() => follow(options), options);

async function follow({ store, log, settleMs, signal }: ReflectorsOptions): Promise<void> {
  const nodes = new Map<ResourceKey, Node>();
  let configuration: BgpConfiguration | undefined;
  let complete = false;
  let last: Promise<void> = Promise.resolve();
  const look = (): void => {
    if (!complete) return;
    last = last.then(() => step({ store, log, settleMs, nodes: [...nodes.values()], configuration }));
  };
  const timer = setInterval(look, LOOK_MS);
  try {
    for await (const event of store.watch(['BGPConfiguration', 'Node'], signal)) {
      if (event.kind === 'in-sync') complete = true;
      else {
        const resource = event.kind === 'put' ? event.resource : undefined;
        if (event.key === `BGPConfiguration/${BGP_CONFIGURATION_NAME}`) {
          // One that cannot be read asks for nothing new, and takes nothing away.
          if (event.kind !== 'invalid') configuration = resource?.kind === 'BGPConfiguration' ? resource : undefined;
        } else if (resource?.kind === 'Node') nodes.set(event.key, resource);
        else if (event.kind === 'delete') nodes.delete(event.key);
      }
      look();
    }
  } finally {
    clearInterval(timer);
    await last;
  }
}

type Step = Omit<ReflectorsOptions, 'signal'> & {
  readonly nodes: readonly Node[];
  readonly configuration: BgpConfiguration | undefined;
};

async function step({ store, log, settleMs, nodes, configuration }: Step): Promise<void> {
  const { routeReflectors, nodeToNodeMeshEnabled } = configuration?.spec ?? {};
  // Without a mesh the reflectors are all that connects the nodes.
  if (routeReflectors === undefined && nodeToNodeMeshEnabled === false) return;
  const selector = parseSelector(routeReflectors?.nodeSelector ?? '');
  if (!selector.ok) return;
  const changes = chooseReflectors({
    nodes,
    perZone: routeReflectors?.perZone ?? 0,
    mayReflect: ({ metadata }) => selectorMatches(selector.value, metadata.labels ?? {}),
    nowMs: Date.now(),
    settleMs,
  });
  const byName = new Map(nodes.map((node) => [node.metadata.name, node]));
  const write = async (name: string, annotations: Readonly<Record<string, string | undefined>>): Promise<void> => {
    const node = byName.get(name);
    if (node === undefined) return;
    try {
      await store.update(annotated(node, annotations));
      log.info({ node: name, clusterId: annotations[NODE_CLUSTER_ID_ANNOTATION] }, 'route reflectors changed');
    } catch (error) {
      // The node changed in the meantime: the watch tells, and we look again.
      if (!(error instanceof StoreError && (error.code === 'conflict' || error.code === 'not-found'))) {
        log.warn({ err: error, node: name }, 'route reflector not written');
      }
    }
  };
  for (const { node, clusterId } of changes.add) {
    const since = new Date().toISOString();
    await write(node, { [NODE_CLUSTER_ID_ANNOTATION]: clusterId, [NODE_CHOSEN_REFLECTOR_ANNOTATION]: since });
  }
  const gone = { [NODE_CLUSTER_ID_ANNOTATION]: undefined, [NODE_CHOSEN_REFLECTOR_ANNOTATION]: undefined };
  for (const node of changes.remove) await write(node, gone);
}

function annotated(node: Node, changes: Readonly<Record<string, string | undefined>>): Node {
  const all = Object.entries({ ...node.metadata.annotations, ...changes });
  const annotations = Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== undefined));
  return { ...node, metadata: { ...node.metadata, annotations } };
}
