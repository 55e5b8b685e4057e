// `margay lab pod run` and `margay lab pod delete`.
import { type Command, Option } from 'commander';
import { deletePod, type PortRequest, parsePodName, parsePort, runPod } from '../../lab/pods.ts';
import { requireLab } from '../../lab/state.ts';
import { err, ok, type Result } from '../../lib/result.ts';
import { type NameOption, orThrow, requireRoot, withName, withStore } from './options.ts';

type RunOptions = NameOption & {
  readonly namespace: string;
  readonly node?: string;
  readonly label: Readonly<Record<string, string>>;
  readonly port: readonly PortRequest[];
};

export function registerLabPod(lab: Command): void {
  const pod = lab.command('pod').description('run and delete pods');
  const start = pod
    .command('run <pod>')
    .description('create a pod and wait until it runs; it echoes on 80/tcp, 8080/tcp, 53/udp and its ports')
    .option('-n, --namespace <namespace>', 'its namespace', 'default')
    .option('--node <node>', 'where it runs (default: the node with the fewest pods)')
    .addOption(new Option('-l, --label <key=value...>', 'labels').default({}, 'none').argParser(collectLabel))
    .addOption(new Option('--port <port...>', 'declared ports, as 80/tcp').default([], 'none').argParser(collectPort));
  withName(start).action(runPodCommand);
  const remove = pod
    .command('delete <pod>')
    .description('delete a pod and wait until it is gone')
    .option('-n, --namespace <namespace>', 'its namespace', 'default');
  withName(remove).action(deletePodCommand);
}

async function runPodCommand(given: string, options: RunOptions): Promise<void> {
  requireRoot('run a pod');
  const spec = requireLab(options.name);
  const { node, label: labels, port: ports } = options;
  if (node !== undefined && !spec.nodes.some(({ name }) => name === node)) {
    const names = spec.nodes.map(({ name }) => name).join(', ');
    throw new Error(`Cannot run pod "${given}" on node "${node}": there is none, expected one of ${names}`);
  }
  const { namespace, name } = parsePodName(given, options.namespace);
  const pod = await withStore(spec.name, (store) => runPod(store, { name, namespace, node, labels, ports }));
  console.log(`pod/${name} runs on ${pod.spec.nodeName} with ${pod.status?.podIP}`);
}

async function deletePodCommand(given: string, options: NameOption & { namespace: string }): Promise<void> {
  requireRoot('delete a pod');
  requireLab(options.name);
  const { namespace, name } = parsePodName(given, options.namespace);
  await withStore(options.name, (store) => deletePod(store, options.name, namespace, name));
  console.log(`pod/${name} deleted`);
}

function collectLabel(text: string, before: Readonly<Record<string, string>>): Readonly<Record<string, string>> {
  const { key, value } = orThrow(parseLabel)(text);
  return { ...before, [key]: value };
}

function collectPort(text: string, before: readonly PortRequest[]): readonly PortRequest[] {
  return [...before, orThrow(parsePort)(text)];
}

function parseLabel(text: string): Result<{ readonly key: string; readonly value: string }> {
  const [, key, value] = /^([^=]+)=(.*)$/.exec(text) ?? [];
  if (key === undefined || value === undefined) return err(`Cannot use label "${text}": expected KEY=VALUE`);
  return ok({ key, value });
}
