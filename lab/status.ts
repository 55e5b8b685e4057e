// Everything that a running lab consists of, by name: namespaces, processes, sockets, logs, files; and what its agents
// say.
import { AGENT_PROGRAM, type AgentStatus, agentStatus, GOBGPD_PROGRAM } from './agent.ts';
import { daemonState } from './daemon.ts';
import { labFiles, nodeFiles, nodeNetns, podFiles, segmentNetns, torFiles, torNetns } from './paths.ts';
import { isAlive, readSandboxes, type Sandbox } from './runtime/sandbox.ts';
import type { LabNode, LabSpec } from './spec.ts';
import { TORS } from './tor/tor.ts';

export type LabStatus = Awaited<ReturnType<typeof labStatus>>;

/** Absent process ids are of programs that do not run. When the agent does not answer, `ready` is false, and `blocks`, `bgp` are absent. */
export async function labStatus(spec: LabSpec) {
  const { name: lab, tor, nodes } = spec;
  const files = labFiles(lab);
  const torPaths = torFiles(lab);
  return {
    name: lab,
    directory: files.directory,
    datastore: files.datastore,
    segment: { netns: segmentNetns(lab) },
    runtime: daemonState(files.runtime, 'runtime/main.ts'),
    controller: daemonState(files.controller, 'main.ts controller'),
    tor: {
      kind: tor.kind,
      address: tor.address,
      netns: torNetns(lab),
      directory: torPaths.directory,
      daemons: TORS[tor.kind].daemons.map((name) => ({ name, ...daemonState(torPaths.daemon(name), name) })),
      outside: { ...daemonState(torPaths.outside, 'pod/main.ts'), socket: torPaths.outsideSocket },
    },
    nodes: await Promise.all(nodes.map((node) => nodeStatus(lab, node))),
    pods: readSandboxes(lab).map((sandbox) => podStatus(lab, sandbox)),
  };
}

export const establishedPeers = (status: AgentStatus | undefined): number =>
  status?.bgp.peers.filter(({ state }) => state === 'established').length ?? 0;

const sessionsOf = (status: AgentStatus) => ({
  established: establishedPeers(status),
  peers: status.bgp.peers.length,
});

async function nodeStatus(lab: string, { name, address }: LabNode) {
  const files = nodeFiles(lab, name);
  const status = await agentStatus(lab, name);
  return {
    name,
    address,
    netns: nodeNetns(lab, name),
    ready: status?.ready ?? false,
    ...(status === undefined ? {} : { blocks: status.blocks, bgp: sessionsOf(status) }),
    problems: status?.problems ?? [],
    agent: { ...daemonState(files.agent, AGENT_PROGRAM), config: files.config, state: files.state },
    gobgpd: daemonState(files.gobgpd, GOBGPD_PROGRAM),
    sockets: { cni: files.cniSocket, control: files.controlSocket, gobgp: files.gobgpSocket },
    conflist: files.conflist,
    spool: files.spool,
  };
}

function podStatus(lab: string, sandbox: Sandbox) {
  const { namespace, pod, node, netns, containerId, stage, ips, process } = sandbox;
  const { controlSocket, log, record } = podFiles(lab, containerId);
  return {
    namespace,
    name: pod,
    node,
    netns,
    ips,
    containerId,
    stage,
    pid: isAlive(sandbox) ? process?.pid : undefined,
    socket: controlSocket,
    log,
    record,
  };
}

/** The status as text, two lines per program at most. */
export function printStatus(status: LabStatus): string {
  const { name, directory, datastore, segment, runtime, controller, tor, nodes, pods } = status;
  const table = (rows: readonly (readonly string[])[]): readonly string[] => {
    const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
    return rows.map((row) =>
      row
        .map((text, column) => text.padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    );
  };
  const number = (pid: number | undefined): string => (pid === undefined ? '-' : String(pid));
  return [
    `Lab ${name} in ${directory}`,
    `Datastore  ${datastore}`,
    `Segment    ${segment.netns}`,
    `Runtime    process ${number(runtime.pid)}, log ${runtime.log}`,
    `Controller process ${number(controller.pid)}, log ${controller.log}`,
    `ToR        ${tor.kind} at ${tor.address} in ${tor.netns}: ${tor.daemons
      .map((each) => `${each.name} (process ${number(each.pid)}, log ${each.log})`)
      .join(', ')}`,
    '',
    ...table([
      ['NODE', 'ADDRESS', 'NETNS', 'READY', 'BGP', 'BLOCKS', 'AGENT', 'GOBGPD', 'LOG'],
      ...nodes.map((node) => [
        node.name,
        node.address,
        node.netns,
        node.ready ? 'yes' : 'no',
        node.bgp === undefined ? 'unknown' : `${node.bgp.established}/${node.bgp.peers}`,
        node.blocks === undefined ? 'unknown' : node.blocks.join(',') || '-',
        number(node.agent.pid),
        number(node.gobgpd.pid),
        node.agent.log,
      ]),
    ]),
    ...(pods.length === 0
      ? []
      : [
          '',
          ...table([
            ['POD', 'NODE', 'IP', 'NETNS', 'PROCESS', 'LOG'],
            ...pods.map((pod) => [
              `${pod.namespace}/${pod.name}`,
              pod.node,
              pod.ips.join(',') || '-',
              pod.netns,
              number(pod.pid),
              pod.log,
            ]),
          ]),
        ]),
  ].join('\n');
}
