// A node for tests: a namespace, a datastore of its own and the real agent in it, which real CNI calls talk to.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { closeSync, mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openEmbeddedStore } from '../../datastore/embedded/open.ts';
import { parseResource } from '../../datastore/resources/parse.ts';
import type { Store } from '../../datastore/store.ts';
import { unwrap } from '../../lib/result.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { type TestNetns, testNetns } from './netns.ts';

const ROOT = join(import.meta.dirname, '..', '..');

export type AgentNode = {
  readonly netns: TestNetns;
  readonly store: Store;
  /** Parses and creates an object as a user writes it. */
  readonly create: (raw: unknown) => Promise<void>;
  /** Starts the agent, and returns when it can serve CNI. */
  readonly start: () => Promise<void>;
  /** Starts the agent without waiting for it. */
  readonly launch: () => void;
  /** Process id of the agent that was started last. @throws Error before the first start */
  readonly pid: () => number;
  /** Replaces what the test added to the agent's configuration; for the next start. */
  readonly configure: (configuration: Record<string, unknown>) => void;
  /** SIGKILL, and wait until it is gone. */
  readonly kill: () => Promise<void>;
  readonly status: () => Promise<Record<string, unknown>>;
  readonly controlSocket: string;
  readonly log: () => string;
  /** Makes the Pod object and a namespace, and runs CNI ADD. */
  readonly addPod: (namespace: string, name: string, labels?: Record<string, string>) => Promise<TestPod>;
  /** A namespace for a pod that nobody has heard of; `add` runs CNI ADD. */
  readonly sandbox: (namespace: string, name: string) => Promise<TestSandbox>;
};

export type TestSandbox = {
  readonly netns: TestNetns;
  readonly add: () => Promise<TestPod>;
};

export type TestPod = {
  readonly netns: TestNetns;
  readonly ip: string;
  readonly hostIfName: string;
  readonly cni: (command: 'ADD' | 'DEL' | 'CHECK', prevResult?: unknown) => Promise<CniAnswer>;
};

export type CniAnswer = { readonly code: number; readonly stdout: string };

/**
 * One node `node1` at 198.51.100.11 with pool 10.244.0.0/16; nothing is left of it after `t`, a test or a benchmark.
 * `configuration` is added to the agent's, `execArgv` goes to its Node.js, as
 * NODE_OPTIONS.
 */
export async function agentNode(
  t: { readonly after: (action: () => void) => void },
  configuration: Record<string, unknown> = {},
  execArgv: readonly string[] = [],
): Promise<AgentNode> {
  execFileSync('sh', [join(ROOT, 'cni/shim/build.sh')]);
  const netns = await testNetns(t, 'node1');
  await netns.exec('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'uplink');
  await netns.exec('ip', 'address', 'add', '198.51.100.11/24', 'dev', 'eth0');
  for (const link of ['eth0', 'uplink']) await netns.exec('ip', 'link', 'set', link, 'up');

  const directory = mkdtempSync(join(tmpdir(), 'margay-test-'));
  const store = openEmbeddedStore({ path: join(directory, 'datastore.db') });
  let agent: ChildProcess | undefined;
  t.after(() => {
    agent?.kill('SIGKILL');
    store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  mkdirSync(join(directory, 'run'), { mode: 0o700 });
  const config = join(directory, 'config.json');
  const configure: AgentNode['configure'] = (additions) => {
    const document = {
      node: 'node1',
      datastore: { kind: 'embedded', path: join(directory, 'datastore.db') },
      runDirectory: join(directory, 'run'),
      stateDirectory: join(directory, 'state'),
      ...additions,
    };
    writeFileSync(config, JSON.stringify(document));
  };
  configure(configuration);
  const logFile = join(directory, 'agent.log');
  const create = async (raw: unknown): Promise<void> => {
    await store.create(unwrap(parseResource(raw)));
  };
  await create({
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'node1' },
    status: { addresses: [{ type: 'InternalIP', address: '198.51.100.11' }] },
  });
  await create({
    apiVersion: 'projectcalico.org/v3',
    kind: 'IPPool',
    metadata: { name: 'pods' },
    spec: { cidr: '10.244.0.0/16' },
  });
  const controlSocket = join(directory, 'run', 'control.sock');
  const status = (): Promise<Record<string, unknown>> => getJson(controlSocket, '/v1/status');
  const launch = (): ChildProcess => {
    // The agent's own descriptor: what it has written before it answers is in the file when the answer is here.
    const log = openSync(logFile, 'a');
    const child = netns.spawn('sh', [join(ROOT, 'felix/start.sh'), '--config', config], {
      stdio: ['ignore', 'ignore', log],
      env: { ...process.env, NODE_OPTIONS: execArgv.join(' ') },
    });
    closeSync(log);
    agent = child;
    return child;
  };
  const sandbox: AgentNode['sandbox'] = async (namespace, name) => {
    const pod = await testNetns(t, name);
    const containerId = randomBytes(32).toString('hex');
    const cni: TestPod['cni'] = (command, prevResult) =>
      runCni(netns, {
        environment: {
          CNI_COMMAND: command,
          CNI_CONTAINERID: containerId,
          CNI_NETNS: pod.path,
          CNI_IFNAME: 'eth0',
          CNI_PATH: join(ROOT, '.build'),
          CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${namespace};K8S_POD_NAME=${name};K8S_POD_INFRA_CONTAINER_ID=${containerId}`,
        },
        input: JSON.stringify({
          cniVersion: '1.0.0',
          name: 'margay',
          type: 'margay',
          agentSocket: join(directory, 'run', 'cni.sock'),
          spoolDirectory: join(directory, 'state', 'cni-spool'),
          ...(prevResult === undefined ? {} : { prevResult }),
        }),
      });
    const add = async (): Promise<TestPod> => {
      const answer = await cni('ADD');
      if (answer.code !== 0) throw new Error(`Cannot add pod "${name}": ${answer.stdout}`);
      const result = JSON.parse(answer.stdout) as { ips: { address: string }[]; interfaces: { name: string }[] };
      return {
        netns: pod,
        ip: result.ips[0]?.address.split('/')[0] ?? '',
        hostIfName: result.interfaces[0]?.name ?? '',
        cni,
      };
    };
    return { netns: pod, add };
  };

  return {
    netns,
    store,
    create,
    status,
    controlSocket,
    log: () => readFileSync(logFile, 'utf8'),
    launch,
    pid: () => {
      if (agent?.pid === undefined) throw new Error('Cannot tell the process id of the agent: it was not started');
      return agent.pid;
    },
    configure,
    start: async () => {
      const child = launch();
      await waitFor(
        'the agent to be ready',
        async () => {
          if (child.exitCode !== null) throw new Error(`The agent ended: ${readFileSync(logFile, 'utf8')}`);
          const { ready } = await status().catch(() => ({ ready: false }));
          return ready === true;
        },
        { timeoutMs: 60_000 },
      );
    },
    kill: async () => {
      if (agent === undefined || agent.exitCode !== null || agent.signalCode !== null) return;
      const gone = once(agent, 'exit');
      agent.kill('SIGKILL');
      await gone;
    },
    sandbox,
    addPod: async (namespace, name, labels = {}) => {
      await create({
        apiVersion: 'v1',
        kind: 'Pod',
        metadata: { namespace, name, labels },
        spec: { nodeName: 'node1' },
      });
      return (await sandbox(namespace, name)).add();
    },
  };
}

async function runCni(
  netns: TestNetns,
  { environment, input }: { readonly environment: Record<string, string>; readonly input: string },
): Promise<CniAnswer> {
  const child = spawn('nsenter', [`--net=${netns.path}`, '--', join(ROOT, '.build', 'margay')], {
    env: environment,
    stdio: ['pipe', 'pipe', 'inherit'],
    timeout: 30_000,
  });
  // The executable may answer before it has read all of it.
  child.stdin.on('error', () => undefined);
  child.stdin.end(input);
  let stdout = '';
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString();
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code: code ?? -1, stdout };
}

async function getJson(socketPath: string, path: string): Promise<Record<string, unknown>> {
  const call = request({ socketPath, path, timeout: 2000 }).end();
  const [response] = (await once(call, 'response')) as [AsyncIterable<Buffer>];
  let text = '';
  for await (const chunk of response) text += chunk.toString();
  return JSON.parse(text) as Record<string, unknown>;
}
