// As much of the Container Runtime Interface (k8s.io/cri-api, runtime.v1) as a test needs to start and stop pods as a
// kubelet does.

import { int, message, messages, nested, string, uint } from '../../bgp/driver/wire/message.ts';
import { createCriClient } from '../../cli/ipam/cri-client.ts';

export type PortMapping = { readonly containerPort: number; readonly hostPort: number };

export type PodConfig = {
  readonly namespace: string;
  readonly name: string;
  readonly uid: string;
  readonly ports?: readonly PortMapping[];
  readonly annotations?: Readonly<Record<string, string>>;
};

export type Cri = {
  /** Starts a pod's sandbox with its network; returns its id. */
  readonly runPod: (pod: PodConfig) => Promise<string>;
  /** The pod's addresses, as the runtime tells them. */
  readonly addresses: (sandboxId: string) => Promise<readonly string[]>;
  /** Ends the sandbox, takes its network down and forgets it. */
  readonly removePod: (sandboxId: string) => Promise<void>;
  /** What the runtime says about its network: empty when it is ready. */
  readonly networkProblem: () => Promise<string>;
  readonly close: () => void;
};

const DEADLINE_MS = 60_000;

const entry = message({ key: string(1), value: string(2) });
const podSandboxMetadata = message({ name: string(1), uid: string(2), namespace: string(3), attempt: uint(4) });
const portMapping = message({ protocol: uint(1), containerPort: int(2), hostPort: int(3), hostIp: string(4) });
const podSandboxConfig = message({
  metadata: nested(1, podSandboxMetadata),
  hostname: string(2),
  logDirectory: string(3),
  portMappings: messages(5, portMapping),
  annotations: messages(7, entry),
});
const runRequest = message({ config: nested(1, podSandboxConfig) });
const sandboxId = message({ id: string(1) });
const podIp = message({ ip: string(1) });
const networkStatus = message({ ip: string(1), additional: messages(2, podIp) });
const statusResponse = message({ status: nested(1, message({ network: nested(5, networkStatus) })) });
const condition = message({ type: string(1), status: uint(2), reason: string(3), message: string(4) });
const runtimeStatus = message({ status: nested(1, message({ conditions: messages(1, condition) })) });
const nothing = message({});

export function createCri(socketPath: string): Cri {
  const { call, close } = createCriClient(socketPath, DEADLINE_MS);
  return {
    runPod: async ({ namespace, name, uid, ports = [], annotations = {} }) => {
      const config = {
        metadata: { name, uid, namespace, attempt: 0 },
        hostname: name,
        logDirectory: '/tmp',
        portMappings: ports,
        annotations: Object.entries(annotations).map(([key, value]) => ({ key, value })),
      };
      return (await call('RunPodSandbox', runRequest.encode({ config }), sandboxId)).id;
    },
    addresses: async (id) => {
      const { status } = await call('PodSandboxStatus', sandboxId.encode({ id }), statusResponse);
      const network = status?.network;
      return network === undefined ? [] : [network.ip, ...network.additional.map(({ ip }) => ip)];
    },
    removePod: async (id) => {
      await call('StopPodSandbox', sandboxId.encode({ id }), nothing);
      await call('RemovePodSandbox', sandboxId.encode({ id }), nothing);
    },
    networkProblem: async () => {
      const { status } = await call('Status', nothing.encode({}), runtimeStatus);
      const network = status?.conditions.find(({ type }) => type === 'NetworkReady');
      return network?.status === 1 ? '' : (network?.message ?? 'no condition NetworkReady');
    },
    close,
  };
}
