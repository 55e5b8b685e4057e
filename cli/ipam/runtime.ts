// The pods of a node as its container runtime tells them, over the Container Runtime Interface
// (k8s.io/cri-api, runtime.v1). Reads only.

import { message, messages, nested, string, uint } from '../../bgp/driver/wire/message.ts';
import type { Sandbox } from '../../ipam/model/check.ts';
import { createCriClient } from './cri-client.ts';

/** PodSandboxState SANDBOX_READY and NamespaceMode NODE. */
const READY = 0;
const NODE = 2;

const metadata = message({ name: string(1), namespace: string(3) });
const nothing = message({});
const sandboxList = message({ items: messages(1, message({ id: string(1) })) });
const statusRequest = message({ id: string(1) });
const podIp = message({ ip: string(1) });
const namespaces = message({ options: nested(2, message({ network: uint(1) })) });
const statusResponse = message({
  status: nested(
    1,
    message({
      id: string(1),
      metadata: nested(2, metadata),
      state: uint(3),
      network: nested(5, message({ ip: string(1), additional: messages(2, podIp) })),
      linux: nested(6, message({ namespaces: nested(1, namespaces) })),
    }),
  ),
});

/** All sandboxes, those that have ended included. @throws Error with the socket, when it does not answer */
export async function listSandboxes(socketPath: string): Promise<readonly Sandbox[]> {
  const { call, close } = createCriClient(socketPath);
  try {
    const { items } = await call('ListPodSandbox', nothing.encode({}), sandboxList);
    const sandboxes: Sandbox[] = [];
    for (const { id } of items) {
      const found = await call('PodSandboxStatus', statusRequest.encode({ id }), statusResponse).catch(unlessGone);
      if (found?.status !== undefined) sandboxes.push(sandboxOf(found.status));
    }
    return sandboxes;
  } catch (error) {
    const why = reasonOf(error);
    const what = `Cannot ask the container runtime at "${socketPath}"`;
    throw new Error(`${what}: ${why}, expected a CRI socket`, { cause: error });
  } finally {
    close();
  }
}

type Status = NonNullable<ReturnType<typeof statusResponse.decode>['status']>;

function sandboxOf({ id, metadata: about, state, network, linux }: Status): Sandbox {
  const ips = [network?.ip ?? '', ...(network?.additional.map(({ ip }) => ip) ?? [])].filter((ip) => ip !== '');
  return {
    id,
    namespace: about?.namespace ?? '',
    pod: about?.name ?? '',
    isAttached: state === READY && linux?.namespaces?.options?.network !== NODE,
    ips,
  };
}

const GRPC_NOT_FOUND = 5;

/** By code of gRPC, whose own words are about addresses and connections that nobody asked for. */
const REASONS: ReadonlyMap<unknown, string> = new Map([
  [4, 'it does not answer in time'],
  [12, 'what answers knows no runtime.v1'],
  [14, 'nothing answers'],
]);

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return ('code' in error ? REASONS.get(error.code) : undefined) ?? error.message;
}

/** It was removed after it had been listed. */
function unlessGone(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === GRPC_NOT_FOUND) return undefined;
  throw error;
}
