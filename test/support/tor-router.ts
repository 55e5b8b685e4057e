// Top-of-rack routers for BGP tests: real BIRD and FRR with the configuration that an operator would write. Both put
// what they learn into their kernel's table; FRR also originates a default route, as a router above a rack does.
import type { ChildProcess } from 'node:child_process';
import { mkdirSync, openSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Router } from './bgp-segment.ts';

export type TorOptions = { readonly asn: number; readonly nodeAsn: number; readonly nodes: readonly string[] };

/** BIRD 2 in the foreground of the router's namespace. */
export function startBird({ netns, folder, address }: Router, { asn, nodeAsn, nodes }: TorOptions): void {
  const session = (node: string, index: number): string => `
protocol bgp node${index} {
  local ${address} as ${asn};
  neighbor ${node} as ${nodeAsn};
  connect delay time 1;
  connect retry time 2;
  error wait time 1, 4;
  ipv4 { import all; export where source = RTS_STATIC; };
}`;
  spawnBird(
    { netns, folder },
    `router id ${address};
log "${join(folder, 'bird.log')}" all;
protocol device { scan time 2; }
protocol static { ipv4; route 0.0.0.0/0 blackhole; }
protocol kernel { merge paths on; ipv4 { import none; export where source = RTS_BGP; }; }
${nodes.map(session).join('\n')}
`,
  );
}

/** BIRD with a configuration; `bird.ctl` in the router's folder is where `birdc` asks it. */
export function spawnBird({ netns, folder }: Pick<Router, 'netns' | 'folder'>, configuration: string): ChildProcess {
  const config = join(folder, 'bird.conf');
  writeFileSync(config, configuration);
  const log = openSync(join(folder, 'bird.out'), 'a');
  const args = ['-f', '-c', config, '-s', join(folder, 'bird.ctl'), '-P', join(folder, 'bird.pid')];
  return netns.spawn('bird', args, { stdio: ['ignore', log, log] });
}

/** FRR with sessions to nodes; originates a default route for each. */
export async function startFrr(router: Router, { asn, nodeAsn, nodes }: TorOptions): Promise<void> {
  const neighbors = nodes.map((node) => ` neighbor ${node} remote-as ${nodeAsn}\n neighbor ${node} timers connect 2\n`);
  const originate = nodes.map((node) => `  neighbor ${node} default-originate\n`);
  await spawnFrr(
    router,
    `router bgp ${asn}
 bgp router-id ${router.address}
 no bgp ebgp-requires-policy
${neighbors.join('')} address-family ipv4 unicast
  maximum-paths 8
${originate.join('')} exit-address-family
`,
  );
}

/** FRR's zebra and bgpd in the router's namespace, as the user `frr` that the package makes: they refuse to be root. */
export async function spawnFrr(
  { netns, folder }: Pick<Router, 'netns' | 'folder'>,
  configuration: string,
): Promise<void> {
  mkdirSync(join(folder, 'vty'));
  writeFileSync(join(folder, 'zebra.conf'), 'hostname tor\n');
  writeFileSync(join(folder, 'bgpd.conf'), `hostname tor\n${configuration}`);
  const log = openSync(join(folder, 'frr.out'), 'a');
  await netns.exec('chown', '-R', 'frr:frr', folder);
  await netns.exec('chmod', '0711', folder, join(folder, '..'));
  for (const daemon of ['zebra', 'bgpd']) {
    const args = ['-f', join(folder, `${daemon}.conf`), '-i', join(folder, `${daemon}.pid`)];
    args.push('-z', join(folder, 'zserv.api'), '--vty_socket', join(folder, 'vty'), '-A', '127.0.0.1');
    netns.spawn(`/usr/lib/frr/${daemon}`, args, { stdio: ['ignore', log, log] });
  }
}

/** Asks FRR's bgpd of a router. */
export const askFrr = ({ netns, folder }: Pick<Router, 'netns' | 'folder'>, question: string): Promise<string> =>
  netns.exec('vtysh', '--vty_socket', join(folder, 'vty'), '-d', 'bgpd', '-c', question);

/** BIRD as one more node of a mesh: it puts into its kernel what the others announce, and waits for them to dial. */
export function startBirdNode(
  { netns, folder, address }: Router,
  { asn, nodes }: { readonly asn: number; readonly nodes: readonly string[] },
): void {
  const sessions = nodes.map(
    (node, index) => `
protocol bgp node${index} {
  local ${address} as ${asn};
  neighbor ${node} as ${asn};
  direct;
  passive;
  ipv4 { import all; export none; };
}`,
  );
  spawnBird(
    { netns, folder },
    `router id ${address};
protocol device { scan time 2; }
protocol kernel { ipv4 { import none; export where source = RTS_BGP; }; }
${sessions.join('\n')}
`,
  );
}
