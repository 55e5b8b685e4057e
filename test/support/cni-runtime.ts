// A real container runtime on a test node: Debian's containerd, with state of its own, in the node's network namespace,
// calling our executable through the list that `margay cni install` writes. Its pods are made over the Container Runtime
// Interface.
import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  createWriteStream,
  globSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmdirSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { waitFor } from '../../lib/wait-for.ts';
import type { AgentNode } from './agent-node.ts';
import { BOX_IMAGE, writeBoxImage } from './box-image.ts';
import { cniExecutable } from './cni-node.ts';
import { cniPathsOf } from './cni-state.ts';
import { type Cri, createCri } from './cri.ts';
import { margay } from './margay-cli.ts';

const run = promisify(execFile);
const DEBIAN_PLUGINS = '/usr/lib/cni';
const REFERENCE_PLUGINS: readonly string[] = ['portmap', 'bandwidth', 'tuning', 'loopback'];

export type ListOptions = {
  /** Names of the reference plugins that the runtime finds. */
  readonly plugins?: readonly string[];
  /** What stands in the list behind all that is installed. */
  readonly behind?: readonly object[];
  /** Further options of `margay cni install`. */
  readonly installOptions?: readonly string[];
};

export type CniRuntime = Cri & {
  /** Where it serves the Container Runtime Interface. */
  readonly socket: string;
  /** Runs a program of the machine in the network namespace of a pod's process. */
  readonly exec: (sandboxId: string, ...command: readonly string[]) => Promise<string>;
  /** Where the runtime keeps the network namespaces of its pods. */
  readonly netnsDirectory: string;
};

/**
 * Runs `work` with a runtime, which is gone afterwards with all of its pods. It has to go before the node does, and the
 * hooks of a test run in the order in which they were made.
 */
export async function withCniRuntime(
  node: AgentNode,
  { plugins = REFERENCE_PLUGINS, behind = [], installOptions = [] }: ListOptions,
  work: (runtime: CniRuntime) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'margay-runtime-'));
  const at = (name: string): string => join(folder, name);
  const socket = at('containerd.sock');
  for (const name of ['bin', 'net.d', 'image']) mkdirSync(at(name));
  for (const name of plugins) symlinkSync(join(DEBIAN_PLUGINS, name), join(at('bin'), name));
  installList(node, folder, installOptions);
  if (behind.length > 0) append(join(at('net.d'), '10-margay.conflist'), behind);
  writeFileSync(at('config.toml'), configuration(folder));

  const daemon = node.netns.spawn('containerd', ['--config', at('config.toml')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  daemon.stderr?.pipe(createWriteStream(at('log')));
  const ctr = async (...args: readonly string[]): Promise<string> =>
    (await run('ctr', ['--address', socket, '--namespace', 'k8s.io', ...args], { timeout: 60_000 })).stdout;
  const cri = createCri(socket);
  const pods = new Set<string>();
  await waitFor('containerd to answer', () => ctr('version').catch(() => undefined), { timeoutMs: 60_000 });
  await ctr('images', 'import', '--snapshotter', 'native', writeBoxImage(at('image')));
  await waitFor(
    'the runtime to take the conflist',
    async () => {
      if (daemon.exitCode !== null) throw new Error(`containerd ended: ${readFileSync(at('log'), 'utf8')}`);
      // Its part for pods begins to serve after it has begun to answer.
      return (await cri.networkProblem().catch(String)) === '';
    },
    { timeoutMs: 60_000 },
  );
  const processOf = async (id: string): Promise<string> => {
    const line = (await ctr('tasks', 'list')).split('\n').find((text) => text.startsWith(id));
    return line?.split(/\s+/)[1] ?? assert.fail(`no task ${id}`);
  };
  const runtime: CniRuntime = {
    ...cri,
    socket,
    runPod: async (pod) => {
      const id = await cri.runPod(pod);
      pods.add(id);
      return id;
    },
    removePod: async (id) => {
      await cri.removePod(id);
      pods.delete(id);
    },
    exec: async (id, ...command) => {
      const inside = ['--target', await processOf(id), '--net', '--', ...command];
      return (await run('nsenter', inside, { timeout: 20_000 })).stdout;
    },
    netnsDirectory: at('state/io.containerd.grpc.v1.cri/netns'),
  };
  try {
    await work(runtime);
  } finally {
    await Promise.allSettled([...pods].map((id) => cri.removePod(id)));
    cri.close();
    const gone = once(daemon, 'close');
    daemon.kill('SIGTERM');
    if (daemon.exitCode === null && daemon.signalCode === null) await gone;
    unmountBelow(folder);
    removeEmptyCgroups();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What containerd keeps mounted for pods that a failed test left. */
function unmountBelow(folder: string): void {
  const targets = readFileSync('/proc/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((target) => target.startsWith(`${folder}/`));
  for (const target of targets) execFileSync('umount', ['--lazy', target]);
}

/** The group in which the runtime puts its containers stays when they go; of a runtime in use it is not empty. */
function removeEmptyCgroups(): void {
  for (const path of globSync('/sys/fs/cgroup/{,*/}k8s.io')) {
    try {
      rmdirSync(path);
    } catch {
      // Somebody else's containers are in it.
    }
  }
}

function installList(node: AgentNode, folder: string, options: readonly string[]): void {
  cniExecutable();
  const { socket, spool } = cniPathsOf(node);
  const folders = ['--conf-dir', join(folder, 'net.d'), '--bin-dir', join(folder, 'bin')];
  const agent = ['--agent-socket', socket, '--spool-directory', spool];
  const { status, stderr } = margay(['cni', 'install', ...folders, ...agent, ...options]);
  assert.equal(status, 0, stderr);
}

/** As an administrator does by hand. */
function append(path: string, behind: readonly object[]): void {
  const list = JSON.parse(readFileSync(path, 'utf8'));
  writeFileSync(path, JSON.stringify({ ...list, plugins: [...list.plugins, ...behind] }));
}

const configuration = (folder: string): string => `
version = 2
root = "${folder}/root"
state = "${folder}/state"
disabled_plugins = ["io.containerd.internal.v1.opt"]
[grpc]
  address = "${folder}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${BOX_IMAGE}"
  netns_mounts_under_state_dir = true
  disable_apparmor = true
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${folder}/bin"
    conf_dir = "${folder}/net.d"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    default_runtime_name = "runc"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
`;
