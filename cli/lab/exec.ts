// `margay lab exec` and `margay lab node exec`: a command inside the network namespace of a pod or a node.
import { spawn } from 'node:child_process';
import { constants } from 'node:os';
import type { Command } from 'commander';
import { inside, labEnvironment } from '../../lab/exec.ts';
import { nodeNetns, torNetns } from '../../lab/paths.ts';
import { findSandbox, parsePodName } from '../../lab/pods.ts';
import { requireLab } from '../../lab/state.ts';
import { type NameOption, requireRoot, withName } from './options.ts';

export function registerLabExec(lab: Command): void {
  // With `--`, options are ours up to there, as kubectl has it; without, up to the name.
  const hasSeparator = process.argv.includes('--');
  const exec = lab
    .command('exec <pod> <command...>')
    .description('run a command in the network namespace of a pod: lab exec NAMESPACE/POD -- ping 10.244.1.2')
    .option('-n, --namespace <namespace>', 'its namespace', 'default')
    .passThroughOptions(!hasSeparator);
  withName(exec).action(inPod);
  const node = lab.command('node').description('run commands on nodes').enablePositionalOptions();
  const nodeExec = node
    .command('exec <node> <command...>')
    .description('run a command in the network namespace of a node, or of the ToR as "tor"')
    .passThroughOptions(!hasSeparator);
  withName(nodeExec).action(onNode);
}

async function inPod(given: string, command: string[], options: NameOption & { namespace: string }): Promise<void> {
  requireRoot('enter a pod');
  requireLab(options.name);
  const { namespace, name } = parsePodName(given, options.namespace);
  const sandbox = findSandbox(options.name, namespace, name);
  if (sandbox === undefined) {
    throw new Error(
      `Cannot enter pod "${namespace}/${name}": lab "${options.name}" runs none of this name, see "margay get pods"`,
    );
  }
  await runInside(options.name, sandbox.netns, command);
}

async function onNode(given: string, command: string[], { name: lab }: NameOption): Promise<void> {
  requireRoot('enter a node');
  const names = [...requireLab(lab).nodes.map(({ name }) => name), 'tor'];
  if (!names.includes(given)) {
    throw new Error(`Cannot enter node "${given}": there is none in lab "${lab}", expected one of ${names.join(', ')}`);
  }
  await runInside(lab, given === 'tor' ? torNetns(lab) : nodeNetns(lab, given), command);
}

/** The command has this terminal, and its exit code becomes ours. */
async function runInside(lab: string, netns: string, given: readonly string[]): Promise<void> {
  // commander hands on the `--` that stands between the pod and the command.
  const command = given[0] === '--' ? given.slice(1) : given;
  if (command.length === 0) throw new Error('Cannot run a command: there is none, expected -- COMMAND [ARGUMENT…]');
  const [program, ...args] = inside(netns, command);
  const child = spawn(program, args, { stdio: 'inherit', env: labEnvironment(lab) });
  // The terminal sends its signals to both; the command decides what they mean.
  const ignore = (): void => {};
  process.on('SIGINT', ignore).on('SIGQUIT', ignore);
  process.exitCode = await new Promise<number>((resolve, reject) => {
    child.on('error', (error) => reject(new Error(`Cannot run "${program}": ${error.message}`, { cause: error })));
    child.on('close', (code, signal) => resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal])));
  });
}
