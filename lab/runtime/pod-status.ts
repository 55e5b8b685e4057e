// What the runtime says about a pod in its status, as a kubelet does.
import type { Pod } from '../../datastore/resources/pod.ts';
import { type Store, StoreError } from '../../datastore/store.ts';
import { type Ip, parseIp } from '../../lib/ip.ts';
import type { Sandbox } from './sandbox.ts';

export type PodStatus = NonNullable<Pod['status']>;

/** Status of a pod whose process runs. */
export function runningStatus(pod: Pod, sandbox: Sandbox, hostIp: string, now: string): PodStatus {
  const ips = sandbox.ips.flatMap((text): readonly Ip[] => {
    const ip = parseIp(text);
    return ip.ok ? [ip.value] : [];
  });
  const [podIp] = ips;
  const startedAt = now;
  return {
    phase: 'Running',
    hostIP: hostIp,
    ...(podIp === undefined ? {} : { podIP: podIp }),
    podIPs: ips.map((ip) => ({ ip })),
    startTime: startedAt,
    conditions: ['PodScheduled', 'Initialized', 'ContainersReady', 'Ready'].map((type) => ({ type, status: 'True' })),
    containerStatuses: (pod.spec.containers ?? []).map(({ name }) => ({
      name,
      ready: true,
      restartCount: sandbox.process?.restarts ?? 0,
      state: { running: { startedAt } },
    })),
  };
}

/** Status of a pod that could not be started. */
export function pendingStatus(pod: Pod, reason: string, message: string): PodStatus {
  return {
    phase: 'Pending',
    reason,
    message,
    containerStatuses: (pod.spec.containers ?? []).map(({ name }) => ({
      name,
      ready: false,
      restartCount: 0,
      state: { waiting: { reason, message } },
    })),
  };
}

/**
 * Changes the stored pod if it is still the one with this uid; tried again when somebody else wrote in between. Nothing
 * is written when `change` returns `undefined`.
 */
export async function updatePod(store: Store, pod: Pod, change: (current: Pod) => Pod | undefined): Promise<void> {
  for (;;) {
    const current = await store.get('Pod', pod.metadata.namespace, pod.metadata.name);
    if (current === undefined || current.metadata.uid !== pod.metadata.uid) return;
    const changed = change(current);
    if (changed === undefined) return;
    try {
      await store.update(changed);
      return;
    } catch (error) {
      if (error instanceof StoreError && error.code === 'conflict') continue;
      if (error instanceof StoreError && error.code === 'not-found') return;
      throw error;
    }
  }
}
