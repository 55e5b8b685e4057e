// An agent that does CNI and nothing else, for tests of cni/: run inside a node's namespace, with the real wiring,
// address management and datastore. In place of the policy engine it writes the pods' host routes. It takes commands
// on standard input, one JSON document per line, and answers each on standard output.
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Attachment, Endpoints } from '../../cni/attachment.ts';
import { createCniHandler } from '../../cni/handler.ts';
import { serveCni } from '../../cni/server.ts';
import { createSpool } from '../../cni/spool.ts';
import { createWiring } from '../../cni/wiring.ts';
import { openEmbeddedStore } from '../../datastore/embedded/open.ts';
import { createIpam } from '../../ipam/allocator.ts';
import { JournalError } from '../../ipam/journal-error.ts';
import { cidrOf, parseCidr } from '../../lib/cidr.ts';
import { familyBits, ipFamily } from '../../lib/ip.ts';
import { KernelError } from '../../lib/linux/kernel-error.ts';
import { findLink } from '../../lib/linux/links.ts';
import { deleteRoute, dumpRoutes, replaceRoute } from '../../lib/linux/routes.ts';
import { openRtnl, type Rtnl } from '../../lib/linux/rtnl.ts';
import { createLog } from '../../lib/log.ts';
import { unwrap } from '../../lib/result.ts';

export type AgentConfig = {
  readonly socket: string;
  readonly spool: string;
  readonly journal: string;
  readonly store: string;
  /** CIDRs of the pools; their families are those that pods get. */
  readonly pools: readonly string[];
  /** How often it looks after kept DELs; absent: as an agent does. */
  readonly replayEveryMs?: number;
};

export type AgentCommand =
  /** The n-th request to the node's routing socket from now fails, as if the kernel refused it; 0: none. */
  | { readonly kind: 'fail-request'; readonly n: number }
  /** What `attach` does after writing the route. */
  | { readonly kind: 'attach'; readonly outcome: AttachOutcome }
  | { readonly kind: 'assignments' };

/** `disk-full`: succeed, and the journal refuses the next word about it. */
type AttachOutcome = 'succeed' | 'fail' | 'hang' | 'disk-full';

const PROTOCOL = 177;
const METRIC = 1024;
const config: AgentConfig = JSON.parse(process.argv[2] ?? '{}');
const log = createLog('cni-agent');
const faults = { request: 0, attach: 'succeed' as AttachOutcome };

const rtnl = openRtnl();
const wiring = createWiring(withFaults(rtnl), log);
const store = openEmbeddedStore({ path: config.store });
const pools = config.pools.map((text, n) => ({
  apiVersion: 'projectcalico.org/v3' as const,
  kind: 'IPPool' as const,
  metadata: { name: `pool-${n}` },
  spec: { cidr: unwrap(parseCidr(text)) },
}));
for (const pool of pools) {
  if ((await store.get('IPPool', undefined, pool.metadata.name)) === undefined) await store.create(pool);
}
const ipam = await createIpam({ store, node: 'node-1', journalPath: config.journal, pools: () => pools, log });
await ipam.start();
const handler = createCniHandler({
  ipam: {
    ...ipam,
    markAttached: (...about) => {
      if (faults.attach === 'disk-full') throw new JournalError('failed', 'Cannot write for the test: disk is full');
      return ipam.markAttached(...about);
    },
  },
  wiring,
  endpoints: routesOnly(),
  mtu: () => 1450,
  families: () => pools.map(({ spec }) => (spec.cidr.includes(':') ? 6 : 4)),
  log,
});
const spool = createSpool(config.spool, handler, log);
await serveCni(config.socket, spool.handle, log);
const replayed = await spool.replay();
void spool.keepReplaying(new AbortController().signal, config.replayEveryMs);
say({ ready: true, replayed });

for await (const line of createInterface({ input: process.stdin })) {
  const command: AgentCommand = JSON.parse(line);
  switch (command.kind) {
    case 'fail-request':
      faults.request = command.n;
      say({ done: true });
      break;
    case 'attach':
      faults.attach = command.outcome;
      say({ done: true });
      break;
    case 'assignments':
      say(ipam.assignments().map(({ handle, state, ips }) => ({ handle, state, ips })));
      break;
    default:
      command satisfies never;
  }
}
process.exit(0);

function say(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value)}\n`);
}

function routesOnly(): Endpoints {
  const key = (ip: Attachment['ips'][number]) => ({
    dst: cidrOf(ip, familyBits(ipFamily(ip))),
    protocol: PROTOCOL,
    metric: METRIC,
  });
  const detach = async ({ ips }: Attachment): Promise<void> => {
    for (const ip of ips) deleteRoute(rtnl, key(ip));
  };
  return {
    attach: async ({ ips, hostIfName }) => {
      const oif = findLink(rtnl, { name: hostIfName })?.index;
      if (oif === undefined) throw new Error(`Cannot route to "${hostIfName}": no such link`);
      for (const ip of ips) replaceRoute(rtnl, { ...key(ip), type: 'unicast', oif, nextHops: [] });
      if (faults.attach === 'fail') throw new Error('Cannot commit the rules: refused for the test');
      if (faults.attach === 'hang') {
        const released = once(process, 'SIGUSR2');
        say({ hanging: true });
        await released;
      }
    },
    detach,
    check: ({ ips }) => {
      const found = new Set(dumpRoutes(rtnl, { protocol: PROTOCOL }).map(({ dst }) => dst));
      return ips.map(key).flatMap(({ dst }) => (found.has(dst) ? [] : [`host route ${dst} is missing`]));
    },
  };
}

/** The kernel's refusals, at a place of our choice. */
function withFaults(real: Rtnl): Rtnl {
  return {
    ...real,
    request: (request) => {
      if (faults.request > 0 && --faults.request === 0) throw new KernelError(request.op, 12);
      return real.request(request);
    },
  };
}
