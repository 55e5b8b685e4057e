// `margay node drain` and `undrain`: takes a node's traffic away before somebody works on it, and gives it back. The wish
// is an annotation of the Node object; its agent does the rest, and goes on with it after a restart.
import { setTimeout as delay } from 'node:timers/promises';
import { type Command, InvalidArgumentError } from 'commander';
import { drainTaintsOf, NODE_DRAIN_ANNOTATION } from '../bgp/model/drain.ts';
import type { Drain } from '../bgp/model/own-paths.ts';
import { type BgpAdvertisedView, bgpAdvertisedSchema, bgpPeersSchema } from '../bgp/view.ts';
import type { Node } from '../datastore/resources/node.ts';
import { type Store, StoreError } from '../datastore/store.ts';
import { waitFor } from '../lib/wait-for.ts';
import { askNodes, controlSockets, type NodesOptions } from './bgp/ask-nodes.ts';
import { addDatastoreOptions, type DatastoreOptions, openCliStore } from './datastore-option.ts';

type DrainOptions = DatastoreOptions & NodesOptions & { readonly withdraw?: true; readonly wait: number };

/** As long as a router may take to choose other paths everywhere: it hears of it at once, and rewrites its tables. */
const SETTLE_SECONDS = 30;
/** How long an agent may take to tell its peers, in milliseconds. */
const AGENT_MS = 30_000;
const TRIES = 5;
/** GRACEFUL_SHUTDOWN, RFC 8326. */
const SHUTDOWN = '65535:0';

export function registerNode(program: Command): void {
  const node = program.command('node').description('nodes and their traffic');
  const draining = node
    .command('drain <node>')
    .description('move traffic away: announce its paths as going (RFC 8326) and withdraw its service addresses')
    .option('--withdraw', 'afterwards withdraw the blocks of its pods too, before the machine is shut down')
    .option('--wait <seconds>', 'time for routers to take other ways', parseSeconds, SETTLE_SECONDS)
    .option('--agent <socket...>', 'control sockets of the agents that are asked whether it is done')
    .action(drain);
  const back = node.command('undrain <node>').description('take traffic again').action(undrain);
  addDatastoreOptions(draining);
  addDatastoreOptions(back);
}

function parseSeconds(text: string): number {
  if (/^\d{1,4}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('expected 0 to 9999');
}

async function drain(name: string, options: DrainOptions): Promise<void> {
  const store = openCliStore(options);
  try {
    await writeWish(store, name, 'announced');
    if (await isDone(name, 'announced', options)) {
      console.log(`${name}: its paths are announced as going, its service addresses are withdrawn`);
    }
    await delay(options.wait * 1000);
    if (options.withdraw !== true) return;
    await writeWish(store, name, 'withdrawn');
    if (await isDone(name, 'withdrawn', options)) console.log(`${name}: it advertises nothing`);
  } finally {
    store.close();
  }
}

async function undrain(name: string, options: DatastoreOptions): Promise<void> {
  const store = openCliStore(options);
  try {
    const node = await writeWish(store, name, undefined);
    const taints = drainTaintsOf(node);
    for (const taint of taints) console.log(`${name}: taint "${taint}" still drains it`);
    if (taints.length === 0) console.log(`${name}: takes traffic again`);
  } finally {
    store.close();
  }
}

/** `undefined`: none. @throws Error when there is no such node, StoreError */
async function writeWish(store: Store, name: string, wish: Drain | undefined): Promise<Node> {
  for (let tries = 1; ; tries++) {
    const node = await store.get('Node', undefined, name);
    if (node === undefined) throw new Error(`Cannot drain node "${name}": there is no such Node, expected one`);
    const { [NODE_DRAIN_ANNOTATION]: before, ...others } = node.metadata.annotations ?? {};
    if (before === wish) return node;
    const annotations = wish === undefined ? others : { ...others, [NODE_DRAIN_ANNOTATION]: wish };
    try {
      return await store.update({ ...node, metadata: { ...node.metadata, annotations } });
    } catch (error) {
      // Somebody else wrote the Node in the meantime.
      if (!(error instanceof StoreError && error.code === 'conflict') || tries === TRIES) throw error;
    }
  }
}

/** Whether the node's agent has told its peers; false when nobody can be asked. @throws Error when it does not in time */
async function isDone(node: string, wish: Drain, options: NodesOptions): Promise<boolean> {
  const asked = { ...options, node };
  try {
    controlSockets(asked);
  } catch (error) {
    console.error(
      `margay: ${error instanceof Error ? error.message : error}; the wish is written, nobody said it is done`,
    );
    return false;
  }
  await waitFor(
    `node "${node}" to drain`,
    async () => {
      const [peers] = await askNodes(asked, '/v1/bgp/peers', (document) => bgpPeersSchema.parse(document));
      // Of a gobgpd that is gone peers keep the paths for a while, as they were.
      if (peers?.drain !== wish || !peers.connected) return false;
      const [told] = await askNodes(asked, '/v1/bgp/advertised', (document) => bgpAdvertisedSchema.parse(document));
      return told?.paths.every((path) => isGoing(path, wish));
    },
    { timeoutMs: AGENT_MS, everyMs: 200 },
  );
  return true;
}

// What was learned and is passed on is not the node's own to take away.
const isGoing = ({ from, communities }: BgpAdvertisedView['paths'][number], wish: Drain): boolean =>
  from !== undefined || (wish === 'announced' && communities.includes(SHUTDOWN));
