// Bringing a lab up: namespaces and wires, the first objects, and every program, each inside its namespace and detached
// from this process.
import { accessSync, constants, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openEmbeddedStore } from '../datastore/embedded/open.ts';
import { startAgent, startGobgpd, writeNodeFiles } from './agent.ts';
import { startSupervised } from './daemon.ts';
import { down } from './down.ts';
import { findExecutable } from './exec.ts';
import { labNetns } from './netns.ts';
import { initialObjects } from './objects.ts';
import { CNI_BIN_DIRECTORY, labFiles, NODE_EXECUTABLE, SOURCE_DIRECTORY, torFiles, torNetns } from './paths.ts';
import { labProcesses, startTimeOf } from './processes.ts';
import { waitForPrograms } from './ready.ts';
import { makeSegment } from './segment.ts';
import { type LabSpec, planLab, type TorKind } from './spec.ts';
import { createLabDirectory, readLabState, writeSpec } from './state.ts';
import { TORS } from './tor/tor.ts';

export type UpOptions = {
  readonly name: string;
  readonly nodes: number;
  readonly tor: TorKind;
  /** Absent: `until-down`. */
  readonly lifetime?: LabSpec['lifetime'];
  /** One line about each step. */
  readonly progress: (line: string) => void;
  /** Aborted: what was made is removed again. */
  readonly signal: AbortSignal;
};

/**
 * Starts a lab and returns once every agent is ready; BGP sessions may still be on their way. What a killed command left
 * under the name is removed first, and so is everything when a step fails.
 * @throws Error when the lab runs already, a program is missing or does not come up
 */
export async function up({ name, nodes, tor, lifetime = 'until-down', progress, signal }: UpOptions): Promise<LabSpec> {
  checkMachine(tor);
  await clearName(name, progress);
  const spec = planLab({ name, nodes, tor, lifetime }, { pid: process.pid, startTime: startTimeOf(process.pid) ?? '' });
  createLabDirectory(spec);
  try {
    progress(`making namespaces for ${nodes} nodes and the ToR (${tor})`);
    makeDirectories(spec);
    await Promise.all([makeSegment(spec), writeObjects(spec)]);
    signal.throwIfAborted();
    progress('starting gobgpd and the agent on every node, the ToR, the runtime, and the controller');
    await startPrograms(spec);
    signal.throwIfAborted();
    await waitForPrograms(spec, signal);
    const running: LabSpec = { ...spec, state: 'running' };
    writeSpec(running);
    return running;
  } catch (error) {
    await down(name);
    throw error;
  }
}

function checkMachine(tor: TorKind): void {
  if (process.getuid?.() !== 0) {
    throw new Error(`Cannot make a lab: user id is ${process.getuid?.()}, expected root (try: sudo)`);
  }
  findExecutable('ip', 'the package iproute2');
  findExecutable('nsenter', 'the package util-linux');
  findExecutable('gobgpd', 'the package gobgpd');
  for (const { program, package: bringer } of TORS[tor].requires) findExecutable(program, `the package ${bringer}`);
  try {
    accessSync(join(CNI_BIN_DIRECTORY, 'margay'), constants.X_OK);
  } catch {
    throw new Error(
      'Cannot make a lab: the CNI executable is not built, expected .build/margay (sh cni/shim/build.sh)',
    );
  }
}

async function clearName(name: string, progress: UpOptions['progress']): Promise<void> {
  const state = readLabState(name);
  const option = name === 'default' ? '' : ` --name ${name}`;
  if (state.kind === 'running') {
    throw new Error(`Cannot start lab "${name}": it runs already, expected ./margay lab down${option} first`);
  }
  if (state.kind === 'starting') {
    throw new Error(`Cannot start lab "${name}": process ${state.pid} is starting it, expected to be the only one`);
  }
  if (state.kind === 'absent' && labNetns(name).length === 0 && labProcesses(name, []).length === 0) return;
  progress('removing what an interrupted command left');
  await down(name);
}

function makeDirectories({ name: lab, nodes }: LabSpec): void {
  for (const directory of [labFiles(lab).pods, torFiles(lab).directory]) {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }
  for (const { name } of nodes) writeNodeFiles(lab, name);
}

async function writeObjects(spec: LabSpec): Promise<void> {
  const store = openEmbeddedStore({ path: labFiles(spec.name).datastore });
  try {
    for (const object of initialObjects(spec)) await store.create(object);
  } finally {
    store.close();
  }
}

async function startPrograms(spec: LabSpec): Promise<void> {
  const { name: lab, nodes, tor } = spec;
  const program = (...path: readonly string[]): string => join(SOURCE_DIRECTORY, 'lab', ...path);
  await Promise.all([
    ...nodes.map(({ name }) => startGobgpd(lab, name)),
    ...nodes.map(({ name }) => startAgent(lab, name)),
    TORS[tor.kind].start(spec),
  ]);
  await startSupervised({
    lab,
    command: [NODE_EXECUTABLE, '--disable-warning=ExperimentalWarning', program('runtime', 'main.ts'), lab],
    files: labFiles(lab).runtime,
  });
  const cli = join(SOURCE_DIRECTORY, 'cli', 'main.ts');
  const { datastore, controller } = labFiles(lab);
  await startSupervised({
    lab,
    command: [NODE_EXECUTABLE, '--disable-warning=ExperimentalWarning', cli, 'controller', '--datastore', datastore],
    files: controller,
  });
  await startSupervised({
    lab,
    netns: torNetns(lab),
    command: [NODE_EXECUTABLE, program('pod', 'main.ts'), torFiles(lab).outsideSocket],
    files: torFiles(lab).outside,
  });
}
