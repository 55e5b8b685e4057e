// `margay cni install` and `uninstall`: the plugin in the folders of this machine's container runtime.
import { join, resolve } from 'node:path';
import { type Command, Option } from 'commander';
import { CHAINED_NAMES, type ChainedName } from '../cni/chained.ts';
import { type CniFolders, type CniInstalled, installCni, uninstallCni } from '../cni/install.ts';
import { type CniVersion, SUPPORTED_VERSIONS } from '../cni/spec.ts';

type FolderOptions = { readonly confDir: string; readonly binDir: readonly string[] };

type InstallOptions = FolderOptions & {
  readonly agentSocket: string;
  readonly spoolDirectory: string;
  readonly require: readonly ChainedName[];
  readonly cniVersion?: CniVersion;
};

const BIN_DIRECTORY = '/opt/cni/bin';

/** Adds `cni install` and `cni uninstall`. */
export function registerCni(program: Command): void {
  const cni = program.command('cni').description('the plugin of the container runtime');
  withFolders(cni.command('install'))
    .description('put executable and network configuration in place, the latter once the agent can serve')
    .option('--agent-socket <path>', "the agent's socket", '/run/margay/cni.sock')
    .option(
      '--spool-directory <path>',
      'where DELs wait while there is no agent: cni-spool in its stateDirectory',
      '/var/lib/margay/cni-spool',
    )
    .addOption(
      new Option('--require <plugin...>', 'fail where these are missing, instead of doing without')
        .choices(CHAINED_NAMES)
        .default([], 'none'),
    )
    .addOption(
      new Option('--cni-version <version>', 'of the list (default: what plugins and runtime have in common)').choices(
        SUPPORTED_VERSIONS,
      ),
    )
    .action(install);
  withFolders(cni.command('uninstall'))
    .description('remove the network configuration, then the executable')
    .action((options: FolderOptions) => uninstallCni(foldersOf(options)));
}

const withFolders = (command: Command): Command =>
  command
    .option('--conf-dir <path>', "the runtime's folder of network configurations", '/etc/cni/net.d')
    .option('--bin-dir <path...>', "the runtime's folders of plugins; ours is in the first", [BIN_DIRECTORY]);

function install(options: InstallOptions): void {
  const { agentSocket, spoolDirectory, require, cniVersion } = options;
  const installed = installCni({
    ...foldersOf(options),
    executable: join(import.meta.dirname, '../.build/margay'),
    // The list is read by programs that run elsewhere.
    agentSocket: resolve(agentSocket),
    spoolDirectory: resolve(spoolDirectory),
    required: require,
    ...(cniVersion === undefined ? {} : { cniVersion }),
  });
  for (const warning of installed.warnings) console.error(`margay: warning: ${warning}`);
  console.log(describeInstalled(installed));
}

function describeInstalled({ list, program, plugins, cniVersion, cniVersions = [] }: CniInstalled): string {
  const newest = cniVersions.at(-1);
  const version = `cniVersion ${cniVersion}${newest === undefined ? '' : `, cniVersions up to ${newest}`}`;
  return `installed ${list} with ${plugins.join(', ')} in ${version}, and ${program}`;
}

function foldersOf({ confDir, binDir: [first = BIN_DIRECTORY, ...others] }: FolderOptions): CniFolders {
  return { confDirectory: confDir, binDirectories: [first, ...others] };
}
