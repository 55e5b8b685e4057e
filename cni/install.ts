// Puts the plugin where a container runtime looks for it, and takes it away again. The list comes last and goes first:
// Kubernetes takes a node with a list for one that can start pods.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { statusProblem, supportedVersions } from './ask-plugin.ts';
import { type ChainedName, findChained } from './chained.ts';
import { type ListVersion, listVersion } from './list-version.ts';
import { removeFile, replaceFile } from './replace-file.ts';
import type { CniVersion } from './spec.ts';

export type CniFolders = {
  /** The runtime's folder of network configurations, such as /etc/cni/net.d. */
  readonly confDirectory: string;
  /** The runtime's folders of plugins, such as /opt/cni/bin, in its order. Ours goes into the first. */
  readonly binDirectories: readonly [string, ...string[]];
};

export type CniInstallation = CniFolders & {
  /** The compiled executable. */
  readonly executable: string;
  readonly agentSocket: string;
  readonly spoolDirectory: string;
  /** Plugins of others without which nothing is to be installed. */
  readonly required?: readonly ChainedName[];
  /** Version of the list. Absent: the highest that runtime and plugins have in common. */
  readonly cniVersion?: CniVersion;
};

const CONFLIST = '10-margay.conflist';
const EXECUTABLE = 'margay';
const CONFIGURATIONS: readonly string[] = ['.conf', '.conflist', '.json'];

/** `list` and `program` are paths; `warnings` tells what is missing or in the way, as sentences for the user. */
export type CniInstalled = ListVersion & {
  readonly list: string;
  readonly program: string;
  readonly plugins: readonly string[];
  readonly warnings: readonly string[];
};

/**
 * @throws Error when the agent cannot serve, or its plugin cannot stand in one list with the others: the executable is in
 * place then and the list is not; when a required plugin is missing neither is
 */
export function installCni(installation: CniInstallation): CniInstalled {
  const { confDirectory, executable, required = [], cniVersion } = installation;
  const { entries, versions, warnings } = findChained(installation.binDirectories, required);
  const program = programPath(installation);
  replaceFile(program, () => readFileSync(executable), 0o755);
  const plugin = pluginOf(installation);
  const version = listVersion(new Map([[EXECUTABLE, supportedVersions(program)], ...versions]), cniVersion);
  const list = {
    ...version,
    name: 'margay',
    plugins: [{ ...plugin, capabilities: { ips: true, mac: true } }, ...entries],
  };
  const why = statusProblem(program, { cniVersion: '1.1.0', name: list.name, ...plugin });
  const path = join(confDirectory, CONFLIST);
  if (why !== undefined) throw new Error(`Cannot install the network configuration "${path}": ${why}`);
  const text = Buffer.from(`${JSON.stringify(list, undefined, 2)}\n`);
  replaceFile(path, () => text, 0o600);
  return {
    ...version,
    list: path,
    program,
    plugins: list.plugins.map(({ type }) => type),
    warnings: [...warnings, ...shadowing(confDirectory)],
  };
}

/** What is not there is no error. @throws Error when something cannot be removed */
export function uninstallCni(folders: CniFolders): void {
  removeFile(join(folders.confDirectory, CONFLIST));
  removeFile(programPath(folders));
}

/** Of several configurations a runtime takes the one whose name comes first (libcni ConfFiles(), sorted). */
function shadowing(folder: string): readonly string[] {
  const entries = existsSync(folder) ? readdirSync(folder, { withFileTypes: true }) : [];
  const names = entries.filter((each) => !each.isDirectory()).map(({ name }) => name);
  return names
    .filter((name) => name < CONFLIST && CONFIGURATIONS.includes(extname(name)))
    .sort()
    .map((name) => `"${name}" comes before "${CONFLIST}" in "${folder}": ${SHADOWED}`);
}

const SHADOWED = 'the runtime goes by it, and no pod is attached by Margay. Remove it, or move it elsewhere';

const programPath = ({ binDirectories: [first] }: CniFolders): string => join(first, EXECUTABLE);

const pluginOf = ({ agentSocket, spoolDirectory }: CniInstallation) => ({
  type: EXECUTABLE,
  agentSocket,
  spoolDirectory,
});
