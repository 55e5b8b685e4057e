// A broadcast segment for BGP tests: a bridge in a namespace of its own, and routers on it, each in its namespace with
// `eth0`. Nodes are 198.51.100.1 and up; a gobgpd and our driver can be started on each.
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createGobgp, type Gobgp } from '../../bgp/driver/gobgp.ts';
import { type GobgpdOptions, gobgpdCommand } from '../../bgp/gobgpd.ts';
import type { BgpEvent } from '../../bgp/model/types.ts';
import { type Ip, parseIp } from '../../lib/ip.ts';
import { createLog } from '../../lib/log.ts';
import { unwrap } from '../../lib/result.ts';
import { waitFor } from '../../lib/wait-for.ts';
import { type TestNetns, testNetns } from './netns.ts';

export type Router = {
  readonly name: string;
  readonly address: Ip;
  readonly netns: TestNetns;
  /** Folder for sockets, configuration and logs of this router. */
  readonly folder: string;
};

/** What ends with a test or a benchmark. */
export type Scope = { readonly after: (action: () => void) => void };

export type Segment = {
  /** A new router on it. */
  readonly attach: (name: string, address: string) => Promise<Router>;
  /** Connects a namespace by one end of a veth pair, which leaves it. */
  readonly plug: (netns: TestNetns, link: string) => Promise<void>;
};

/** An empty segment. All is gone after `t`. */
export async function openSegment(t: Scope): Promise<Segment> {
  const folder = mkdtempSync(join(tmpdir(), 'mgy-bgp-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const segment = await testNetns(t, 'seg');
  await segment.exec('ip', 'link', 'add', 'br0', 'up', 'type', 'bridge');
  let ports = 0;
  const plug: Segment['plug'] = async (netns, link) => {
    const port = `port${ports++}`;
    await netns.exec('ip', 'link', 'set', link, 'netns', segment.name, 'name', port);
    await segment.exec('ip', 'link', 'set', port, 'master', 'br0', 'up');
  };
  return {
    plug,
    attach: async (name, address) => {
      const netns = await testNetns(t, name);
      await netns.exec('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', 'far');
      await plug(netns, 'far');
      await netns.exec('ip', 'address', 'add', `${address}/24`, 'dev', 'eth0');
      await netns.exec('ip', 'link', 'set', 'eth0', 'up');
      const own = mkdtempSync(join(folder, `${name}-`));
      return { name, address: unwrap(parseIp(address)), netns, folder: own };
    },
  };
}

/** Routers by name, with the addresses given, on one segment. All is gone after `t`. */
export async function bgpSegment<const N extends string>(
  t: Scope,
  addresses: Readonly<Record<N, string>>,
): Promise<Readonly<Record<N, Router>>> {
  const segment = await openSegment(t);
  const routers: Partial<Record<N, Router>> = {};
  for (const [name, address] of Object.entries<string>(addresses) as [N, string][]) {
    routers[name] = await segment.attach(name, address);
  }
  return routers as Record<N, Router>;
}

/** A router's gobgpd and our driver of it. */
export type Speaker = {
  readonly gobgp: Gobgp;
  readonly events: readonly BgpEvent[];
  /** Resolves when `count` events of the kind have come. */
  readonly seen: (kind: BgpEvent['kind'], count?: number) => Promise<unknown>;
  /** Ends gobgpd as a crash does. */
  readonly crash: () => Promise<void>;
  readonly restart: () => void;
  /** Process id of the gobgpd that was started last. */
  readonly pid: () => number;
};

/** `program`: another gobgpd than that of the distribution. Its log is in the router's folder. */
export function startSpeaker(
  t: Scope,
  router: Router,
  program?: string,
  logLevel: GobgpdOptions['logLevel'] = 'debug',
): Speaker {
  const socketPath = join(router.folder, 'gobgp.sock');
  const { command, args, env } = gobgpdCommand({ socketPath, program, logLevel });
  const log = openSync(join(router.folder, 'gobgpd.log'), 'a');
  const start = (): ChildProcess => {
    rmSync(socketPath, { force: true });
    return router.netns.spawn(command, args, { env: { ...process.env, ...env }, stdio: ['ignore', log, log] });
  };
  let daemon = start();
  const events: BgpEvent[] = [];
  const gobgp = createGobgp({
    socketPath,
    log: createLog(router.name).child({}, { level: 'silent' }),
    onEvent: (event) => events.push(event),
  });
  t.after(() => gobgp.close());
  return {
    gobgp,
    events,
    seen: (kind, count = 1) =>
      waitFor(`event ${kind} of ${router.name}`, () => events.filter((event) => event.kind === kind).length >= count, {
        timeoutMs: 30_000,
      }),
    crash: async () => {
      const ended = new Promise((resolve) => daemon.once('exit', resolve));
      daemon.kill('SIGKILL');
      await ended;
    },
    restart: () => {
      daemon = start();
    },
    pid: () => {
      if (daemon.pid === undefined) throw new Error(`Cannot tell the process id of "${command}": it was not started`);
      return daemon.pid;
    },
  };
}
