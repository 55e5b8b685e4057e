// A node's two programs, the agent and gobgpd, and what the agent says about itself over its control socket.
import { mkdirSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { gobgpdCommand } from '../bgp/gobgpd.ts';
import { startSupervised, startSupervisor, stopSupervised } from './daemon.ts';
import { labFiles, nodeFiles, nodeNetns, SOURCE_DIRECTORY } from './paths.ts';

/** Part of the agent's command line, by which its process is known. */
export const AGENT_PROGRAM = join('felix', 'main.ts');
export const GOBGPD_PROGRAM = 'gobgpd';

const agentStatusSchema = z.looseObject({
  node: z.string(),
  ready: z.boolean(),
  bgp: z.looseObject({
    connected: z.boolean(),
    asn: z.int().exactOptional(),
    peers: z.array(z.looseObject({ address: z.string(), asn: z.int(), state: z.string() })),
  }),
  blocks: z.array(z.string()),
  endpoints: z.array(z.looseObject({ namespace: z.string(), pod: z.string(), interface: z.string() })),
  routes: z.looseObject({
    learned: z.int(),
    rejected: z.array(z.looseObject({ prefix: z.string(), from: z.string() })),
  }),
  problems: z.array(z.unknown()),
});

export type AgentStatus = z.output<typeof agentStatusSchema>;

/** Writes the node's configuration files. */
export function writeNodeFiles(lab: string, node: string): void {
  const files = nodeFiles(lab, node);
  for (const directory of [files.directory, files.state, dirname(files.conflist), dirname(files.gobgpSocket)]) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }
  writeJson(files.config, {
    node,
    datastore: { kind: 'embedded', path: labFiles(lab).datastore },
    runDirectory: files.directory,
    stateDirectory: files.state,
  });
  writeJson(files.conflist, {
    cniVersion: '1.1.0',
    name: 'margay',
    plugins: [{ type: 'margay', agentSocket: files.cniSocket, spoolDirectory: files.spool }],
  });
}

export async function startGobgpd(lab: string, node: string): Promise<void> {
  const { gobgpd, gobgpSocket } = nodeFiles(lab, node);
  const { env } = gobgpdCommand({ socketPath: gobgpSocket });
  const script = join(SOURCE_DIRECTORY, 'bgp', 'supervise.sh');
  await startSupervisor({
    lab,
    netns: nodeNetns(lab, node),
    command: ['sh', script, gobgpSocket, gobgpd.pid, gobgpd.log],
    files: gobgpd,
    env,
  });
}

export async function startAgent(lab: string, node: string): Promise<void> {
  const { agent, config } = nodeFiles(lab, node);
  await startSupervised({
    lab,
    netns: nodeNetns(lab, node),
    command: ['sh', join(SOURCE_DIRECTORY, 'felix', 'start.sh'), '--config', config],
    files: agent,
  });
}

export const stopAgent = (lab: string, node: string): Promise<void> =>
  stopSupervised(nodeFiles(lab, node).agent, AGENT_PROGRAM);

/** What the agent says; `undefined` when it does not answer. */
export async function agentStatus(lab: string, node: string): Promise<AgentStatus | undefined> {
  const answer = await ask(nodeFiles(lab, node).controlSocket, '/v1/status');
  return answer?.code === 200 ? agentStatusSchema.parse(JSON.parse(answer.body)) : undefined;
}

/** The rules of a pod in the form of nft(8); `undefined` when the agent does not know the pod or does not answer. */
export async function endpointRules(lab: string, node: string, namespace: string, pod: string) {
  const answer = await ask(nodeFiles(lab, node).controlSocket, `/v1/endpoints/${namespace}/${pod}/rules`);
  return answer?.code === 200 ? answer.body : undefined;
}

type Answer = { readonly code: number; readonly body: string };

function ask(socketPath: string, path: string): Promise<Answer | undefined> {
  return new Promise((resolve) => {
    const call = request({ socketPath, path, agent: false, timeout: 5000 }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (text: string) => {
        body += text;
      });
      response.on('end', () => resolve({ code: response.statusCode ?? 0, body }));
      response.on('error', () => resolve(undefined));
    });
    call.on('timeout', () => call.destroy());
    call.on('error', () => resolve(undefined));
    call.end();
  });
}

function writeJson(path: string, value: object): void {
  writeFileSync(path, `${JSON.stringify(value, undefined, 2)}\n`, { mode: 0o600 });
}
