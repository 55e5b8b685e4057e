// Two nodes to attach pods to: one with the agent, whose pods all have a NetworkPolicy, and one for the reference plugins
// ptp and host-local, which know no policy. Each has network namespaces for its pods, used again from round to round.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { inNetns } from '../../../lib/linux/netns.ts';
import { type AgentNode, agentNode } from '../../support/agent-node.ts';
import { type TestNetns, testNetns } from '../../support/netns.ts';
import { type Program, runMany } from '../program.ts';
import type { Scope } from '../types.ts';

export type CniVerb = 'ADD' | 'DEL';

/** A node to attach pods to; a pod is a number from 0 to `pods - 1`. */
export type Side = {
  readonly name: string;
  readonly netns: TestNetns;
  readonly podPath: (pod: number) => string;
  /** The program call that a runtime makes. */
  readonly call: (verb: CniVerb, pod: number) => Program;
  /** The address in the result of the pod's last ADD. */
  readonly ipOf: (pod: number) => string;
};

export type CniWorld = { readonly ours: Side; readonly other: Side; readonly agent: AgentNode; readonly pods: number };

/** `shared`: pods of ten kinds, with one policy for each kind. `own`: every pod has a policy that only it has. */
export type PolicyShape = 'shared' | 'own';

const ROOT = join(import.meta.dirname, '..', '..', '..');
const REFERENCE = '/usr/lib/cni';
export const NAMESPACE = 'bench';
const KINDS = 10;
const PORTS_PER_POLICY = 10;

export async function cniWorld(
  scope: Scope,
  options: { readonly pods: number; readonly policy: PolicyShape; readonly execArgv?: readonly string[] },
): Promise<CniWorld> {
  const { pods } = options;
  const agent = await agentNode(scope, {}, options.execArgv);
  const otherNetns = await testNetns(scope, 'other');
  const directory = mkdtempSync(join(tmpdir(), 'margay-bench-'));
  scope.after(() => rmSync(directory, { recursive: true }));
  await createObjects(agent, pods, options.policy);
  await agent.start();
  const run = dirname(agent.controlSocket);
  const ours = side(scope, {
    name: 'ours',
    netns: agent.netns,
    pods,
    directory,
    program: join(ROOT, '.build', 'margay'),
    conf: { type: 'margay', agentSocket: join(run, 'cni.sock'), spoolDirectory: join(run, '..', 'state', 'spool') },
  });
  const other = side(scope, {
    name: 'other',
    netns: otherNetns,
    pods,
    directory,
    program: join(REFERENCE, 'ptp'),
    conf: {
      type: 'ptp',
      ipam: { type: 'host-local', subnet: '10.244.0.0/16', dataDir: join(directory, 'host-local') },
    },
  });
  return { ours, other, agent, pods };
}

/** Calls for pods `from` to `to - 1`, `inFlight` at a time. */
export function callAll(
  { netns, call }: Side,
  verb: CniVerb,
  { from = 0, to, inFlight }: { readonly from?: number; readonly to: number; readonly inFlight: number },
): void {
  const programs = Array.from({ length: to - from }, (_, i) => call(verb, from + i));
  inNetns(netns.path, () => runMany(programs, inFlight));
}

/** A side of its own; without `nameOf`, its pods are `pod-N` of the namespace `bench`. */
export function side(
  scope: Scope,
  options: {
    readonly name: string;
    readonly netns: TestNetns;
    readonly pods: number;
    readonly directory: string;
    readonly program: string;
    readonly conf: Readonly<Record<string, unknown>>;
    readonly nameOf?: (pod: number) => { readonly namespace: string; readonly name: string };
  },
): Side {
  const { nameOf = (pod) => ({ namespace: NAMESPACE, name: podName(pod) }) } = options;
  const { name, netns, pods, directory, program, conf } = options;
  const names = Array.from({ length: pods }, (_, pod) => `${netns.name}-pod${pod}`);
  ipBatch(names.map((each) => `netns add ${each}`));
  scope.after(() => ipBatch(names.map((each) => `netns del ${each}`)));
  const confFile = join(directory, `${name}.json`);
  writeFileSync(confFile, JSON.stringify({ cniVersion: '1.0.0', name: 'bench', ...conf }));
  const podPath = (pod: number): string => `/run/netns/${names[pod]}`;
  const resultFile = (pod: number): string => join(directory, `${name}-${pod}.result`);
  return {
    name,
    netns,
    podPath,
    call: (verb, pod) => {
      const containerId = createHash('sha256').update(`${name} ${pod}`).digest('hex');
      const k8s = nameOf(pod);
      const env = {
        CNI_COMMAND: verb,
        CNI_CONTAINERID: containerId,
        CNI_NETNS: podPath(pod),
        CNI_IFNAME: 'eth0',
        CNI_PATH: REFERENCE,
        CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=${k8s.namespace};K8S_POD_NAME=${k8s.name};K8S_POD_INFRA_CONTAINER_ID=${containerId}`,
      };
      return { file: program, env, stdin: confFile, stdout: verb === 'ADD' ? resultFile(pod) : '/dev/null' };
    },
    ipOf: (pod) => {
      const result = JSON.parse(readFileSync(resultFile(pod), 'utf8')) as { ips: { address: string }[] };
      return result.ips[0]?.address.split('/')[0] ?? '';
    },
  };
}

const podName = (pod: number): string => `pod-${pod}`;

async function createObjects(agent: AgentNode, pods: number, policy: PolicyShape): Promise<void> {
  await agent.create({ apiVersion: 'v1', kind: 'Namespace', metadata: { name: NAMESPACE } });
  const kindOf = (pod: number): string => `kind-${policy === 'own' ? pod : pod % KINDS}`;
  for (let pod = 0; pod < pods; pod++) {
    await agent.create({
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { namespace: NAMESPACE, name: podName(pod), labels: { kind: kindOf(pod) } },
      spec: { nodeName: 'node1' },
    });
  }
  for (const kind of new Set(Array.from({ length: pods }, (_, pod) => kindOf(pod)))) {
    const ports = Array.from({ length: PORTS_PER_POLICY }, (_, i) => ({ protocol: 'TCP', port: 8000 + i }));
    await agent.create({
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { namespace: NAMESPACE, name: kind },
      spec: {
        podSelector: { matchLabels: { kind } },
        policyTypes: ['Ingress', 'Egress'],
        ingress: [
          { from: [{ podSelector: { matchLabels: { kind } } }], ports },
          { from: [{ ipBlock: { cidr: '203.0.113.0/24' } }], ports: [{ protocol: 'UDP', port: 53 }] },
        ],
        egress: [{ to: [{ namespaceSelector: {} }] }],
      },
    });
  }
}

function ipBatch(lines: readonly string[]): void {
  execFileSync('ip', ['-batch', '-'], { input: lines.join('\n') });
}
