// `margay cni install` and `uninstall`: the plugin in the folders of this machine's container runtime.
import { join } from 'node:path';
import type { Command } from 'commander';
import { type CniInstallation, installCni, uninstallCni } from '../cni/install.ts';

type Options = {
  readonly confDir: string;
  readonly binDir: string;
  readonly agentSocket: string;
  readonly spoolDirectory: string;
};

/** Adds `cni install` and `cni uninstall`. */
export function registerCni(program: Command): void {
  const cni = program.command('cni').description('the plugin of the container runtime');
  withFolders(cni.command('install'))
    .description('put executable and network configuration in place, the latter once the agent can serve')
    .option('--agent-socket <path>', "the agent's socket", '/run/margay/cni.sock')
    .option('--spool-directory <path>', 'where DELs wait while there is no agent', '/var/lib/margay/cni-spool')
    .action((options: Options) => installCni(installationOf(options)));
  withFolders(cni.command('uninstall'))
    .description('remove the network configuration, then the executable')
    .action(({ confDir, binDir }: Options) => uninstallCni({ confDirectory: confDir, binDirectory: binDir }));
}

const withFolders = (command: Command): Command =>
  command
    .option('--conf-dir <path>', "the runtime's folder of network configurations", '/etc/cni/net.d')
    .option('--bin-dir <path>', "the runtime's folder of plugins", '/opt/cni/bin');

const installationOf = ({ confDir, binDir, agentSocket, spoolDirectory }: Options): CniInstallation => ({
  confDirectory: confDir,
  binDirectory: binDir,
  executable: join(import.meta.dirname, '../.build/margay'),
  agentSocket,
  spoolDirectory,
});
