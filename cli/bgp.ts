// `margay bgp …`: what nodes and their routers tell each other, and what became of it.
import type { Command } from 'commander';
import { registerBgpAdvertised } from './bgp/advertised.ts';
import { registerBgpExplain } from './bgp/explain.ts';
import { registerBgpPeers } from './bgp/peers.ts';
import { registerBgpRoutes } from './bgp/routes.ts';

export function registerBgp(program: Command): void {
  const bgp = program.command('bgp').description('sessions and routes: who says what, what is believed, and why');
  for (const register of [registerBgpPeers, registerBgpRoutes, registerBgpAdvertised, registerBgpExplain]) {
    register(bgp);
  }
}
