// The connectivity table of a lab: for every pair of running pods and every port that the target declares, what the
// policies say against what a real connection finds.
import type { Pod } from '../datastore/resources/pod.ts';
import type { World } from '../policy/oracle.ts';
import type { Access, Cell } from './cell.ts';
import { expectedOutcome } from './expected.ts';
import { podFiles, torFiles } from './paths.ts';
import { connectPod, type PodClient } from './pod/client.ts';
import type { Outcome, Target } from './pod/protocol.ts';
import { readSandboxes, sandboxKey } from './runtime/sandbox.ts';
import { declaredPorts } from './runtime/steps.ts';

/** A dropped packet is believed after this. */
const DENY_MS = 300;
/** Where an answer is expected, silence is believed only after a second, longer wait: the machine may be busy. */
const RETRY_MS = 3000;

export type MatrixOptions = {
  /** This port of every pod instead of the declared ones. */
  readonly port?: Pick<Cell, 'port' | 'protocol'> | undefined;
};

/** A planned cell: everything but what is observed. */
export type Plan = Omit<Cell, 'observed' | 'why'> & { readonly ip: string };

/** Every pair of different running pods, in order of their names. */
export function planMatrix(world: World, pods: readonly Pod[], { port }: MatrixOptions = {}): readonly Plan[] {
  const running = pods
    .filter(({ status }) => status?.phase === 'Running' && status.podIP !== undefined)
    .map((pod) => ({ pod, key: `${pod.metadata.namespace}/${pod.metadata.name}`, ip: pod.status?.podIP ?? '' }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1));
  return running.flatMap(({ key: from }) =>
    running.flatMap(({ pod, key: to, ip }) =>
      from === to ? [] : portsOf(pod, port).map((target) => planCell(world, { from, to, ip, ...target })),
    ),
  );
}

/** Connections from one address outside of the cluster to every declared port. */
export function planOutside(world: World, pods: readonly Pod[], address: string): readonly Plan[] {
  return planMatrix(world, pods)
    .filter((plan, index, all) => all.findIndex(({ to, port }) => to === plan.to && port === plan.port) === index)
    .map(({ to, ip, port, protocol }) => planCell(world, { from: address, to, ip, port, protocol }));
}

/**
 * Makes the connections, all at once.
 * @throws Error when a pod's process does not answer
 */
export async function observe(lab: string, plans: readonly Plan[]): Promise<readonly Cell[]> {
  const clients = await openClients(lab, [...new Set(plans.map(({ from }) => from))]);
  try {
    return await Promise.all(plans.map((plan) => observeCell(clients, plan)));
  } finally {
    for (const client of clients.values()) client.close();
  }
}

/** Control connections by pod (`namespace/name`) or by outside address. */
export async function openClients(lab: string, names: readonly string[]): Promise<ReadonlyMap<string, PodClient>> {
  const sockets = new Map(readSandboxes(lab).map((each) => [sandboxKey(each), podFiles(lab, each.containerId)]));
  const opened = names.map(async (name) => {
    const path = name.includes('/') ? sockets.get(name)?.controlSocket : torFiles(lab).outsideSocket;
    if (path === undefined) throw new Error(`Cannot connect from pod "${name}": it has no sandbox`);
    return [name, await connectPod(path)] as const;
  });
  return new Map(await Promise.all(opened));
}

export const targetOf = ({ from, ip, port, protocol }: Plan): Target => ({
  protocol,
  ip,
  port,
  ...(from.includes('/') ? {} : { localAddress: from }),
});

async function observeCell(clients: ReadonlyMap<string, PodClient>, plan: Plan): Promise<Cell> {
  const client = clients.get(plan.from);
  if (client === undefined) throw new Error(`Cannot connect from "${plan.from}": there is no such pod`);
  let outcome = await client.probe(targetOf(plan), DENY_MS);
  if (accessOf(outcome) !== 'allow' && plan.expected === 'allow') {
    outcome = await client.probe(targetOf(plan), RETRY_MS);
  }
  const { from, to, port, protocol, expected } = plan;
  return {
    from,
    to,
    port,
    protocol,
    expected,
    observed: accessOf(outcome),
    ...(outcome.kind === 'failed' ? { why: outcome.code } : {}),
  };
}

const accessOf = ({ kind }: Outcome): Access => (kind === 'answered' ? 'allow' : 'deny');

function planCell(world: World, cell: Omit<Plan, 'expected'>): Plan {
  return { ...cell, expected: expectedOutcome(world, cell) };
}

const portsOf = (pod: Pod, only: MatrixOptions['port']): readonly Pick<Cell, 'port' | 'protocol'>[] =>
  only === undefined ? declaredPorts(pod) : [only];
