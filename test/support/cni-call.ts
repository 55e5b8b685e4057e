// Calling a CNI executable as a container runtime does: environment, standard input, exit code, standard output.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { encodeFrame } from '../../cni/frame.ts';

export type CniCall = {
  readonly command?: string;
  readonly containerId?: string;
  readonly netns?: string;
  /** Its name; the namespace is `shop`. */
  readonly pod?: string;
  readonly ifName?: string;
  readonly config?: Readonly<Record<string, unknown>>;
  /** In place of `config`. */
  readonly stdin?: string | Uint8Array;
  readonly environment?: Readonly<Record<string, string>>;
};

export type CniOutcome = {
  /** `null`: a signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly ms: number;
};

export type CniCaller = {
  readonly call: (call: CniCall) => Promise<CniOutcome>;
  readonly callProcess: (call: CniCall) => ChildProcess;
};

const ROOT = join(import.meta.dirname, '../..');
const built = new Map<string, string>();

/** The CNI executable, compiled when needed; `faults`: the one that can be killed at its fault points. */
export function cniExecutable(kind: 'plain' | 'faults' = 'plain'): string {
  const name = kind === 'plain' ? 'margay' : 'margay-faults';
  const path = built.get(name) ?? join(ROOT, '.build', name);
  if (!built.has(name)) {
    const args = kind === 'plain' ? [] : [name, '-DFAULT_POINTS'];
    execFileSync(join(ROOT, 'cni/shim/build.sh'), args, { stdio: ['ignore', 'ignore', 'inherit'] });
    built.set(name, path);
  }
  return path;
}

/** Calls of our executable for the agent behind `socket`. Absent `executable`: the one for production. */
export function cniCaller({
  socket,
  spool,
  executable = cniExecutable(),
}: {
  readonly socket: string;
  readonly spool: string;
  readonly executable?: string;
}): CniCaller {
  const ours = { type: 'margay', agentSocket: socket, spoolDirectory: spool };
  const callProcess = (call: CniCall): ChildProcess => {
    const { command, containerId, netns, pod, ifName = 'eth0', environment = {} } = call;
    const env = {
      ...(command === undefined ? {} : { CNI_COMMAND: command }),
      ...(containerId === undefined ? {} : { CNI_CONTAINERID: containerId }),
      ...(netns === undefined ? {} : { CNI_NETNS: netns }),
      ...(pod === undefined ? {} : { CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=${pod}` }),
      CNI_IFNAME: ifName,
      CNI_PATH: '/opt/cni/bin',
      ...environment,
    };
    const child = spawn(executable, [], { env, stdio: ['pipe', 'pipe', 'inherit'] });
    // The executable may answer before it has read all of it.
    child.stdin.on('error', () => undefined);
    child.stdin.end(call.stdin ?? JSON.stringify({ cniVersion: '1.1.0', name: 'margay', ...ours, ...call.config }));
    return child;
  };
  return {
    callProcess,
    call: async (call) => {
      const begin = performance.now();
      const child = callProcess(call);
      const chunks: Buffer[] = [];
      child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk));
      const [exitCode] = await once(child, 'close');
      return { exitCode, stdout: Buffer.concat(chunks).toString(), ms: performance.now() - begin };
    },
  };
}

/** An ADD without the executable, on a connection that can end at any moment: it was sent whole, and is not answered yet. */
export async function sentAdd(
  agentSocket: string,
  { containerId, netns, pod }: Required<Pick<CniCall, 'containerId' | 'netns' | 'pod'>>,
): Promise<Socket> {
  const frame = encodeFrame({
    environment: {
      CNI_COMMAND: 'ADD',
      CNI_CONTAINERID: containerId,
      CNI_NETNS: netns,
      CNI_IFNAME: 'eth0',
      CNI_ARGS: `K8S_POD_NAMESPACE=shop;K8S_POD_NAME=${pod}`,
    },
    stdin: Buffer.from(JSON.stringify({ cniVersion: '1.1.0', name: 'margay', type: 'margay' })),
  });
  const socket = connect(agentSocket);
  await new Promise((resolve) => socket.write(frame, resolve));
  return socket;
}
