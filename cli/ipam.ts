// `margay ipam …`: who has which address, whether all agree about it, and the settings of the cluster.
import type { Command } from 'commander';
import { registerIpamCheck } from './ipam/check.ts';
import { registerIpamConfigure } from './ipam/configure.ts';
import { registerIpamRelease } from './ipam/release.ts';
import { registerIpamShow } from './ipam/show.ts';

export function registerIpam(program: Command): void {
  const ipam = program.command('ipam').description('addresses of pods: who has which, and whether all agree');
  for (const register of [registerIpamShow, registerIpamCheck, registerIpamRelease, registerIpamConfigure]) {
    register(ipam);
  }
}
