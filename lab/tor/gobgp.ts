// gobgpd as the ToR. It speaks BGP only, so a small program of ours beside it drives it and writes what it learned into
// the kernel.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { waitFor } from '../../lib/wait-for.ts';
import { startDaemon, startSupervised } from '../daemon.ts';
import { runAny } from '../exec.ts';
import { NODE_EXECUTABLE, SOURCE_DIRECTORY, torFiles, torNetns } from '../paths.ts';
import { type LabSpec, NODE_ASN, TOR_ASN } from '../spec.ts';
import type { Tor } from './tor.ts';

export const gobgp: Tor = {
  requires: [
    { program: 'gobgpd', package: 'gobgpd' },
    { program: 'gobgp', package: 'gobgpd' },
  ],
  daemons: ['gobgpd', 'installer'],
  start: async (spec) => {
    const { name: lab } = spec;
    const files = torFiles(lab);
    const netns = torNetns(lab);
    const directory = files.file('gobgp');
    mkdirSync(directory, { mode: 0o700 });
    const socket = join(directory, 'gobgp.sock');
    const config = files.file('gobgpd.json');
    writeFileSync(config, printGobgpConfig(spec), { mode: 0o600 });
    await startDaemon({
      lab,
      netns,
      command: [
        'gobgpd',
        ...['-f', config, '-t', 'json', '--api-hosts', `unix://${socket}`],
        ...['--pprof-disable', '-p'],
      ],
      files: files.daemon('gobgpd'),
    });
    const route = ['0.0.0.0/0', 'nexthop', spec.tor.address];
    await waitFor('gobgpd of the ToR to take a route', async () => {
      const { exitCode } = await runAny(lab, [
        'gobgp',
        '--target',
        `unix://${socket}`,
        'global',
        'rib',
        'add',
        ...route,
      ]);
      return exitCode === 0;
    });
    await startSupervised({
      lab,
      netns,
      command: [NODE_EXECUTABLE, join(SOURCE_DIRECTORY, 'lab', 'tor', 'gobgp-installer.ts'), socket],
      files: files.daemon('installer'),
    });
  },
};

/** The configuration file of gobgpd, as JSON. */
export function printGobgpConfig({ tor, nodes }: LabSpec): string {
  const config = {
    global: { config: { as: TOR_ASN, 'router-id': tor.address, 'local-address-list': [tor.address] } },
    neighbors: nodes.map(({ address }) => ({
      config: { 'neighbor-address': address, 'peer-as': NODE_ASN },
      timers: { config: { 'connect-retry': 5, 'idle-hold-time-after-reset': 5 } },
      // Connections of two gobgpds that cross are both closed, and both dial again in step with each other.
      transport: { config: { 'passive-mode': true } },
    })),
  };
  return `${JSON.stringify(config, undefined, 2)}\n`;
}
