// FRR as the ToR: zebra and bgpd, with their sockets and files in the lab's directory.
import { mkdirSync, rmdirSync, rmSync, writeFileSync } from 'node:fs';
import { waitFor } from '../../lib/wait-for.ts';
import { startDaemon } from '../daemon.ts';
import { runAny } from '../exec.ts';
import { torFiles, torNetns } from '../paths.ts';
import type { Process } from '../processes.ts';
import { type LabSpec, NODE_ASN, POD_POOL, TOR_ASN } from '../spec.ts';
import type { Tor } from './tor.ts';

export const frr: Tor = {
  requires: [
    { program: 'zebra', package: 'frr' },
    { program: 'bgpd', package: 'frr' },
    { program: 'vtysh', package: 'frr' },
  ],
  daemons: ['zebra', 'bgpd'],
  start: async (spec) => {
    const files = torFiles(spec.name);
    const vty = files.file('vty');
    mkdirSync(vty, { mode: 0o700 });
    writeFileSync(files.file('zebra.conf'), 'hostname tor\n', { mode: 0o600 });
    writeFileSync(files.file('bgpd.conf'), printFrrConfig(spec), { mode: 0o600 });
    // Their vty library insists on a user of its own group, which root is when that is its primary group here.
    const start = (name: string, extra: readonly string[]) =>
      startDaemon({
        lab: spec.name,
        netns: torNetns(spec.name),
        command: [
          name,
          ...['-u', 'root', '-g', 'frrvty', '-f', files.file(`${name}.conf`), '-i', files.file(`${name}.lock`)],
          ...['-z', files.file('zserv.api'), '--vty_socket', vty, '-P', '0', '--log', 'stdout', ...extra],
        ],
        files: files.daemon(name),
      });
    await start('zebra', []);
    // bgpd asks zebra for the interfaces when it starts, and later only now and then.
    await waitFor('zebra to answer', async () => {
      const { exitCode } = await runAny(spec.name, ['vtysh', '--vty_socket', vty, '-d', 'zebra', '-c', 'show version']);
      return exitCode === 0;
    });
    await start('bgpd', ['-l', spec.tor.address]);
  },
};

/** Removes what a process of FRR made for itself outside of the lab's directory (lib/zlog_targets.c, 8.4). */
export function removeFrrScratch({ pid, command }: Pick<Process, 'pid' | 'command'>): void {
  const program = /^(zebra|bgpd)( |$)/.exec(command)?.[1];
  if (program === undefined) return;
  rmSync(`${SCRATCH}/${program}.${pid}`, { recursive: true, force: true });
  try {
    rmdirSync(SCRATCH);
  } catch {
    // Another FRR has files there.
  }
}

/** Where FRR's logging keeps a directory per process. */
const SCRATCH = '/var/tmp/frr';

/** The configuration file of bgpd. */
export function printFrrConfig({ tor, nodes }: LabSpec): string {
  const each = (line: (address: string) => string): string =>
    nodes.map(({ address }) => ` ${line(address)}`).join('\n');
  return `hostname tor
ip prefix-list pods seq 5 permit ${POD_POOL} le 32
ip prefix-list default-route seq 5 permit 0.0.0.0/0
router bgp ${TOR_ASN}
 bgp router-id ${tor.address}
 no bgp ebgp-requires-policy
 no bgp network import-check
${each((address) => `neighbor ${address} remote-as ${NODE_ASN}`)}
${each((address) => `neighbor ${address} timers connect 2`)}
${each((address) => `neighbor ${address} advertisement-interval 0`)}
 address-family ipv4 unicast
${each((address) => ` neighbor ${address} default-originate`)}
${each((address) => ` neighbor ${address} prefix-list pods in`)}
${each((address) => ` neighbor ${address} prefix-list default-route out`)}
 exit-address-family
`;
}
