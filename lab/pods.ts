// Pods of a lab as a user asks for them: created, deleted and waited for through the datastore.

import { parseResource } from '../datastore/resources/parse.ts';
import type { Pod } from '../datastore/resources/pod.ts';
import type { Store } from '../datastore/store.ts';
import { StoreError } from '../datastore/store.ts';
import { err, ok, type Result } from '../lib/result.ts';
import { waitFor } from '../lib/wait-for.ts';
import { readSandboxes, type Sandbox, sandboxKey } from './runtime/sandbox.ts';

export type PodRequest = {
  readonly name: string;
  readonly namespace: string;
  readonly node: string | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly ports: readonly PortRequest[];
};

export type PortRequest = { readonly port: number; readonly protocol: 'TCP' | 'UDP' };

/** `80`, `80/tcp`, `53/udp`. */
export function parsePort(text: string): Result<PortRequest> {
  const match = /^(\d{1,5})(?:\/(tcp|udp))?$/i.exec(text);
  const port = Number(match?.[1]);
  if (match === null || port < 1 || port > 65535) {
    return err(`Cannot use port "${text}": expected 1 to 65535 with /tcp or /udp`);
  }
  return ok({ port, protocol: match[2]?.toLowerCase() === 'udp' ? 'UDP' : 'TCP' });
}

/** `namespace/name`, or a name in `namespace`. @throws Error when it is neither */
export function parsePodName(text: string, namespace: string): { readonly namespace: string; readonly name: string } {
  const [first = '', second, ...rest] = text.split('/');
  if (first === '' || second === '' || rest.length > 0) {
    throw new Error(`Cannot read pod "${text}": expected NAME or NAMESPACE/NAME`);
  }
  return second === undefined ? { namespace, name: first } : { namespace: first, name: second };
}

/**
 * Creates the Pod object, and its Namespace where there is none, and waits until it runs.
 * @throws Error with the reason of a pod that does not come up within 30 s
 */
export async function runPod(store: Store, { name, namespace, node, labels, ports }: PodRequest): Promise<Pod> {
  const parsed = parseResource({
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace, labels },
    spec: {
      ...(node === undefined ? {} : { nodeName: node }),
      containers: [
        {
          name: 'echo',
          image: 'margay/echo',
          ports: ports.map(({ port, protocol }) => ({ containerPort: port, protocol })),
        },
      ],
    },
  });
  if (!parsed.ok) throw new Error(parsed.error);
  await createNamespace(store, namespace);
  await store.create(parsed.value);
  const [pod] = await waitForPods(store, [`${namespace}/${name}`]);
  if (pod === undefined) throw new Error(`Cannot run pod "${name}": it was deleted meanwhile`);
  return pod;
}

/** Policies are refused for a namespace that is not there. */
async function createNamespace(store: Store, name: string): Promise<void> {
  const parsed = parseResource({ apiVersion: 'v1', kind: 'Namespace', metadata: { name } });
  if (!parsed.ok) throw new Error(parsed.error);
  await store.create(parsed.value).catch((error: unknown) => {
    if (!(error instanceof StoreError && error.code === 'exists')) throw error;
  });
}

/**
 * Waits until all of these (`namespace/name`) run, and returns them.
 * @throws Error with what the first of the others says of itself
 */
export async function waitForPods(
  store: Store,
  keys: readonly string[],
  { timeoutMs = 30_000, signal }: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
): Promise<readonly Pod[]> {
  let missing: readonly Pod[] = [];
  try {
    return await waitFor(
      'the pods',
      async () => {
        signal?.throwIfAborted();
        const { items } = await store.list('Pod');
        const pods = items.filter(({ metadata }) => keys.includes(`${metadata.namespace}/${metadata.name}`));
        missing = pods.filter(({ status }) => status?.phase !== 'Running');
        return missing.length === 0 && pods.length === keys.length ? pods : undefined;
      },
      { timeoutMs, everyMs: 25 },
    );
  } catch (cause) {
    signal?.throwIfAborted();
    const [first] = missing;
    if (first === undefined) throw cause;
    const said = first.status?.['message'] ?? 'nothing is known of it; is the runtime of the lab running?';
    const name = `${first.metadata.namespace}/${first.metadata.name}`;
    throw new Error(`Cannot run pod "${name}" within ${timeoutMs / 1000} s: ${String(said)}`, { cause });
  }
}

/**
 * Deletes a pod and waits until its sandbox is gone.
 * @throws Error when there is no such pod, or it is still there after 30 s
 */
export async function deletePod(store: Store, lab: string, namespace: string, name: string): Promise<void> {
  try {
    await store.delete('Pod', namespace, name);
  } catch (error) {
    if (error instanceof StoreError && error.code === 'not-found') {
      throw new Error(`Cannot delete pod "${namespace}/${name}": there is none in this lab`, { cause: error });
    }
    throw error;
  }
  await waitFor(`pod "${namespace}/${name}" to be gone`, () => findSandbox(lab, namespace, name) === undefined, {
    timeoutMs: 30_000,
  });
}

export const findSandbox = (lab: string, namespace: string, name: string): Sandbox | undefined =>
  readSandboxes(lab).find((sandbox) => sandboxKey(sandbox) === `${namespace}/${name}`);
