// Puts the plugin where a container runtime looks for it, and takes it away again. The list comes last and goes first:
// Kubernetes takes a node with a list for one that can start pods.
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { statusProblem } from './ask-plugin.ts';
import { replaceFile } from './replace-file.ts';

export type CniInstallation = {
  /** The runtime's folders, such as /etc/cni/net.d and /opt/cni/bin. */
  readonly confDirectory: string;
  readonly binDirectory: string;
  /** The compiled executable. */
  readonly executable: string;
  readonly agentSocket: string;
  readonly spoolDirectory: string;
};

const CONFLIST = '10-margay.conflist';
const EXECUTABLE = 'margay';

/** @throws Error when the agent cannot serve; the executable is in place then and the list is not */
export function installCni(installation: CniInstallation): void {
  const { confDirectory, binDirectory, executable } = installation;
  const program = join(binDirectory, EXECUTABLE);
  replaceFile(program, () => readFileSync(executable), 0o755);
  const why = statusProblem(program, { cniVersion: '1.1.0', name: 'margay', ...pluginOf(installation) });
  if (why !== undefined) {
    throw new Error(`Cannot install the network configuration "${join(confDirectory, CONFLIST)}": ${why}`);
  }
  const text = Buffer.from(`${JSON.stringify(conflist(installation), undefined, 2)}\n`);
  replaceFile(join(confDirectory, CONFLIST), () => text, 0o600);
}

/** What is not there is no error. */
export function uninstallCni({
  confDirectory,
  binDirectory,
}: Pick<CniInstallation, 'confDirectory' | 'binDirectory'>): void {
  rmSync(join(confDirectory, CONFLIST), { force: true });
  rmSync(join(binDirectory, EXECUTABLE), { force: true });
}

/** The hostPort and bandwidth of pods are the business of the plugins behind ours. */
function conflist(installation: CniInstallation): object {
  return {
    cniVersion: '1.0.0',
    name: 'margay',
    plugins: [
      { ...pluginOf(installation), capabilities: { ips: true, mac: true } },
      { type: 'portmap', capabilities: { portMappings: true }, snat: true },
      { type: 'bandwidth', capabilities: { bandwidth: true } },
    ],
  };
}

const pluginOf = ({ agentSocket, spoolDirectory }: CniInstallation) => ({
  type: EXECUTABLE,
  agentSocket,
  spoolDirectory,
});
