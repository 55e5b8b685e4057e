// The runtime's loop: for every pod, what the datastore wants against the sandbox that is there. Each pod is worked on by
// one step at a time, level-triggered; a few pods in parallel; a failure is tried again with backoff.
import type { Pod } from '../../datastore/resources/pod.ts';
import type { Store } from '../../datastore/store.ts';
import type { Log } from '../../lib/log.ts';
import type { LabSpec } from '../spec.ts';
import { pendingStatus, runningStatus, updatePod } from './pod-status.ts';
import { isAlive, readSandboxes, type Sandbox, sandboxKey } from './sandbox.ts';
import { chooseNode } from './schedule.ts';
import { bringUp, newSandbox, takeDown } from './steps.ts';

export type Reconciler = {
  /** The pod as it is now; `undefined` when it is gone. */
  readonly see: (key: string, pod: Pod | undefined) => void;
  /** All pods have been seen: work may begin. */
  readonly start: () => void;
  /** Looks for pods whose process ended. */
  readonly checkProcesses: () => void;
};

/** Pods that are worked on at once; the steps have lanes of their own. */
const PARALLEL = 32;
const RETRY_MS = { first: 500, last: 8000 };

export function createReconciler(spec: LabSpec, store: Store, log: Log): Reconciler {
  const lab = spec.name;
  const pods = new Map<string, Pod>();
  const sandboxes = new Map(readSandboxes(lab).map((sandbox) => [sandboxKey(sandbox), sandbox]));
  const queue = new Set<string>();
  const busy = new Set<string>();
  const retries = new Map<string, { readonly timer: NodeJS.Timeout; readonly afterMs: number }>();
  let started = false;

  const kick = (key: string): void => {
    queue.add(key);
    work();
  };
  const work = (): void => {
    if (!started) return;
    for (const key of queue) {
      if (busy.size >= PARALLEL) return;
      if (busy.has(key)) continue;
      queue.delete(key);
      busy.add(key);
      void attempt(key).finally(() => {
        busy.delete(key);
        work();
      });
    }
  };
  const attempt = async (key: string): Promise<void> => {
    try {
      await reconcile(key);
      retries.delete(key);
    } catch (error) {
      const afterMs = Math.min((retries.get(key)?.afterMs ?? RETRY_MS.first / 2) * 2, RETRY_MS.last);
      const why = error instanceof Error ? error.message : String(error);
      log.warn({ pod: key, why, afterMs }, 'pod failed, trying again');
      retries.set(key, { timer: setTimeout(() => kick(key), afterMs), afterMs });
    }
  };

  const reconcile = async (key: string): Promise<void> => {
    const pod = pods.get(key);
    const old = sandboxes.get(key);
    // A sandbox that never came through ADD is not gone on with, as kubelet does not.
    if (old !== undefined && (old.uid !== pod?.metadata.uid || old.stage === 'made')) {
      await takeDown(lab, old);
      sandboxes.delete(key);
      log.info({ pod: key, containerId: old.containerId }, 'pod removed');
    }
    if (pod === undefined) return;
    const { nodeName } = pod.spec;
    if (nodeName === undefined) return schedule(key, pod);
    const node = spec.nodes.find(({ name }) => name === nodeName);
    if (node === undefined || pod.spec.hostNetwork === true) {
      const why = node === undefined ? `there is no node "${nodeName}"` : 'hostNetwork is not offered by the lab';
      return updatePod(store, pod, (now) => withFailure(now, 'NotSupported', why));
    }
    await run(key, pod, node.address);
  };

  const schedule = async (key: string, pod: Pod): Promise<void> => {
    const nodeName = chooseNode(
      spec.nodes.map(({ name }) => name),
      pods.values(),
    );
    if (nodeName === undefined) return;
    // Counted at once, for the pods that are scheduled before this one's change comes back.
    pods.set(key, { ...pod, spec: { ...pod.spec, nodeName } });
    await updatePod(store, pod, (now) => ({ ...now, spec: { ...now.spec, nodeName } }));
    kick(key);
  };

  const run = async (key: string, pod: Pod, hostIp: string): Promise<void> => {
    const known = sandboxes.get(key);
    const isNews = known === undefined || !isAlive(known) || pod.status?.phase !== 'Running';
    if (!isNews) return;
    const first = known ?? newSandbox(lab, pod, pod.spec.nodeName ?? '');
    sandboxes.set(key, first);
    let sandbox: Sandbox;
    try {
      sandbox = await bringUp(lab, first, pod, (step) => sandboxes.set(key, step));
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      await updatePod(store, pod, (now) => withFailure(now, 'FailedCreatePodSandBox', why));
      throw error;
    }
    log.info({ pod: key, node: sandbox.node, ips: sandbox.ips, addMs: sandbox.addMs }, 'pod runs');
    const now = new Date().toISOString();
    await updatePod(store, pod, (stored) => ({ ...stored, status: runningStatus(stored, sandbox, hostIp, now) }));
  };

  return {
    see: (key, pod) => {
      const before = pods.get(key);
      if (pod === undefined) pods.delete(key);
      else pods.set(key, pod);
      // The status that a failure wrote comes back as a change, and must not cut the wait short.
      const isSame = before?.metadata.uid === pod?.metadata.uid && before?.spec.nodeName === pod?.spec.nodeName;
      if (isSame && (retries.has(key) || busy.has(key))) return;
      clearTimeout(retries.get(key)?.timer);
      retries.delete(key);
      kick(key);
    },
    start: () => {
      started = true;
      for (const key of [...pods.keys(), ...sandboxes.keys()]) queue.add(key);
      work();
    },
    checkProcesses: () => {
      for (const [key, sandbox] of sandboxes) if (sandbox.stage === 'running' && !isAlive(sandbox)) kick(key);
    },
  };
}

/** `undefined` when the pod says so already. */
const withFailure = (pod: Pod, reason: string, message: string): Pod | undefined =>
  pod.status?.['message'] === message ? undefined : { ...pod, status: pendingStatus(pod, reason, message) };
