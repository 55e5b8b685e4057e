// All that is known of addresses: the objects of the datastore, and the views of the agents that answer.
import { existsSync } from 'node:fs';
import type { Command } from 'commander';
import { readSnapshot, unreadableSentence } from '../../datastore/read-snapshot.ts';
import { isOfKind, type Kind, type ResourceKey } from '../../datastore/resources/index.ts';
import type { IpBlock } from '../../datastore/resources/ip-block.ts';
import type { IpPool } from '../../datastore/resources/ip-pool.ts';
import type { IpReservation } from '../../datastore/resources/ip-reservation.ts';
import type { Node } from '../../datastore/resources/node.ts';
import type { Pod } from '../../datastore/resources/pod.ts';
import type { Store } from '../../datastore/store.ts';
import type { Sandbox } from '../../ipam/model/check.ts';
import { type IpamView, ipamViewSchema } from '../../ipam/view.ts';
import { nodeFiles } from '../../lab/paths.ts';
import { readLabState, requireLab } from '../../lab/state.ts';
import { addDatastoreOptions, type DatastoreOptions, openCliStore } from '../datastore-option.ts';
import { askAgent, LOCAL_AGENT } from './ask-agent.ts';
import { listSandboxes } from './runtime.ts';

export type IpamOptions = DatastoreOptions & {
  readonly agent?: readonly string[];
  readonly runtime?: readonly string[];
};

export type IpamWorld = {
  readonly pools: readonly IpPool[];
  readonly blocks: readonly IpBlock[];
  readonly reservations: readonly IpReservation[];
  readonly pods: readonly Pod[];
  readonly nodes: readonly Node[];
  readonly views: readonly IpamView[];
  /** Of the nodes whose container runtimes were named. */
  readonly runtimes: ReadonlyMap<string, readonly Sandbox[]>;
  /** Objects of these kinds that are there and cannot be read. */
  readonly unreadable: ReadonlySet<ResourceKey>;
  /** Why agents and runtimes did not answer, and why objects cannot be read. */
  readonly silent: readonly string[];
};

const WORLD_KINDS = ['IPPool', 'IPBlock', 'IPReservation', 'Pod', 'Node'] as const satisfies readonly Kind[];

/** Adds `--datastore`, `--lab` and `--agent`. */
export function withIpamOptions(command: Command): Command {
  return addDatastoreOptions(command).option(
    '--agent <socket...>',
    `control sockets of the agents to ask (default: the lab's, else ${LOCAL_AGENT})`,
  );
}

export async function withStore<T>(options: DatastoreOptions, use: (store: Store) => Promise<T>): Promise<T> {
  const store = openCliStore(options);
  try {
    return await use(store);
  } finally {
    store.close();
  }
}

/** Agents are asked before the datastore is read: a block that is claimed meanwhile is no difference then. */
export async function readIpamWorld(store: Store, options: IpamOptions): Promise<IpamWorld> {
  const sockets = socketsOf(options);
  const { runtime = [] } = options;
  if (runtime.length > 0 && runtime.length !== sockets.length) {
    throw new Error(
      `Cannot ask ${runtime.length} runtimes: expected one for each of ${sockets.length} agents, in their order`,
    );
  }
  const runtimes = new Map<string, readonly Sandbox[]>();
  const silent = sockets.length > 0 ? [] : [`Cannot tell which addresses are in use: ${NOBODY_TO_ASK}`];
  const orSilent = async <T>(ask: () => Promise<T>): Promise<T | undefined> => {
    try {
      return await ask();
    } catch (error) {
      silent.push(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  };
  const answers = await Promise.all(
    sockets.map(async (socket, n) => {
      const view = await orSilent(async () =>
        ipamViewSchema.parse(JSON.parse(await askAgent(socket, 'GET', '/v1/ipam'))),
      );
      const ofRuntime = runtime[n];
      if (view === undefined || ofRuntime === undefined) return view;
      const sandboxes = await orSilent(() => listSandboxes(ofRuntime));
      if (sandboxes !== undefined) runtimes.set(view.node, sandboxes);
      return view;
    }),
  );
  const { resources, unreadable } = await readSnapshot(store, WORLD_KINDS);
  silent.push(...[...unreadable].map(unreadableSentence));
  const items = <K extends (typeof WORLD_KINDS)[number]>(kind: K) =>
    resources.filter((resource) => isOfKind(resource, kind));
  return {
    pools: items('IPPool'),
    blocks: items('IPBlock'),
    reservations: items('IPReservation'),
    pods: items('Pod'),
    nodes: items('Node'),
    unreadable: new Set(unreadable.keys()),
    views: answers.filter((view) => view !== undefined),
    runtimes,
    silent,
  };
}

/** Why `socketsOf()` found none. */
export const NOBODY_TO_ASK = `no lab is up and "${LOCAL_AGENT}" is not there, expected --agent SOCKET`;

/** The sockets of the agents that are meant; empty: nobody is there. @throws Error when a lab is named that does not run */
export function socketsOf({ agent, lab, datastore }: IpamOptions): readonly string[] {
  if (agent !== undefined) return agent;
  const name = lab ?? process.env['MARGAY_LAB'] ?? 'default';
  const other = datastore ?? process.env['MARGAY_DATASTORE'] ?? '';
  if (lab === undefined && (other !== '' || readLabState(name).kind === 'absent')) {
    return existsSync(LOCAL_AGENT) ? [LOCAL_AGENT] : [];
  }
  return requireLab(name).nodes.map((node) => nodeFiles(name, node.name).controlSocket);
}
