// What the runtime does for one pod, step by step: network namespace, CNI ADD, process; and back. Each step records what
// it did, and each can be repeated.
import { randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Pod } from '../../datastore/resources/pod.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { lastFailure, startDetached } from '../daemon.ts';
import { addNetns, deleteNetns, netnsExists } from '../netns.ts';
import { labFiles, NODE_EXECUTABLE, podFiles, podNetns, SOURCE_DIRECTORY } from '../paths.ts';
import { killAll, processesIn, startTimeOf } from '../processes.ts';
import { callCni } from './cni.ts';
import { createLane } from './lane.ts';
import { isAlive, removeSandbox, type Sandbox, writeSandbox } from './sandbox.ts';

// CNI calls come first and one after the other, as what they take is measured; processes are started when no call is
// left, a few at a time, because starting one keeps a processor busy.
const calls = createLane(1);
const starts = createLane(3);

/** A new sandbox, recorded before anything of it exists. */
export function newSandbox(lab: string, pod: Pod, node: string): Sandbox {
  const containerId = randomBytes(32).toString('hex');
  const sandbox: Sandbox = {
    containerId,
    namespace: pod.metadata.namespace,
    pod: pod.metadata.name,
    uid: pod.metadata.uid ?? '',
    node,
    netns: podNetns(lab, containerId),
    stage: 'made',
    result: undefined,
    ips: [],
  };
  writeSandbox(lab, sandbox);
  return sandbox;
}

/**
 * Takes a sandbox through its remaining steps; one that runs is only looked at. `on` hears of every step that is done.
 * @throws Error of the step that failed
 */
export async function bringUp(lab: string, given: Sandbox, pod: Pod, on: (sandbox: Sandbox) => void): Promise<Sandbox> {
  let sandbox = given;
  if (sandbox.stage === 'made') {
    sandbox = await calls.run(() => wire(lab, given));
    on(sandbox);
  }
  if (sandbox.stage === 'running' && isAlive(sandbox)) return sandbox;
  const wired = sandbox;
  await calls.idle();
  sandbox = await starts.run(() => startProcess(lab, wired, pod));
  on(sandbox);
  return sandbox;
}

/**
 * Undoes everything of a sandbox: process, CNI DEL, namespace, record.
 * @throws Error when a step fails; what is left is tried again with the same record
 */
export async function takeDown(lab: string, sandbox: Sandbox): Promise<void> {
  await killAll(() => processesIn([sandbox.netns]));
  const outcome = await calls.run(() => callCni(lab, 'DEL', sandbox));
  if (outcome.kind === 'failed') throw new Error(`Cannot remove the network of "${sandbox.pod}": ${outcome.message}`);
  recordTiming(lab, 'del', sandbox, outcome.ms);
  await deleteNetns(lab, [sandbox.netns]);
  removeSandbox(lab, sandbox);
}

export type Timing = {
  readonly verb: 'add' | 'del';
  readonly namespace: string;
  readonly pod: string;
  readonly ms: number;
};

/** The file with one Timing per line for every ADD and DEL that succeeded. */
export const timingsFile = (lab: string): string => join(labFiles(lab).pods, 'timings.jsonl');

async function wire(lab: string, sandbox: Sandbox): Promise<Sandbox> {
  if (!netnsExists(sandbox.netns)) await addNetns(lab, [sandbox.netns]);
  const outcome = await callCni(lab, 'ADD', sandbox);
  if (outcome.kind === 'failed') throw new Error(`Cannot add the network of "${sandbox.pod}": ${outcome.message}`);
  recordTiming(lab, 'add', sandbox, outcome.ms);
  const wired: Sandbox = {
    ...sandbox,
    stage: 'wired',
    result: outcome.result,
    ips: [...outcome.ips],
    addMs: outcome.ms,
  };
  writeSandbox(lab, wired);
  return wired;
}

async function startProcess(lab: string, sandbox: Sandbox, pod: Pod): Promise<Sandbox> {
  const { controlSocket, log } = podFiles(lab, sandbox.containerId);
  await killAll(() => processesIn([sandbox.netns]));
  rmSync(controlSocket, { force: true });
  const pid = await startDetached({
    lab,
    netns: sandbox.netns,
    command: [
      NODE_EXECUTABLE,
      join(SOURCE_DIRECTORY, 'lab', 'pod', 'main.ts'),
      controlSocket,
      ...declaredPorts(pod).map(({ port, protocol }) => `${port}/${protocol}`),
    ],
    log,
  });
  const running: Sandbox = {
    ...sandbox,
    stage: 'running',
    process: { pid, startTime: startTimeOf(pid) ?? '', restarts: (sandbox.process?.restarts ?? -1) + 1 },
  };
  writeSandbox(lab, running);
  await waitFor(
    `the process of pod "${sandbox.pod}"`,
    () => {
      if (!isAlive(running))
        throw new Error(`Cannot start pod "${sandbox.pod}": its process ended: ${lastFailure(log)}`);
      return existsSync(controlSocket);
    },
    { timeoutMs: 30_000, everyMs: 10 },
  );
  return running;
}

/** Ports that the pod's containers declare and that can be served. */
export const declaredPorts = (pod: Pod) =>
  (pod.spec.containers ?? []).flatMap(({ ports = [] }) =>
    ports.flatMap(({ containerPort: port, protocol }) => (protocol === 'SCTP' ? [] : [{ port, protocol }])),
  );

function recordTiming(lab: string, verb: Timing['verb'], { namespace, pod }: Sandbox, ms: number): void {
  const timing: Timing = { verb, namespace, pod, ms };
  appendFileSync(timingsFile(lab), `${JSON.stringify(timing)}\n`, { mode: 0o600 });
}
