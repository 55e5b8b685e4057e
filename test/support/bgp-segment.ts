// A broadcast segment for BGP tests: a bridge in a namespace of its own, and routers on it, each in its namespace with
// `eth0`. Nodes are 198.51.100.1 and up; a gobgpd and our driver can be started on each.
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, openSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { createGobgp, type Gobgp } from '../../bgp/driver/gobgp.ts';
import { gobgpdCommand } from '../../bgp/gobgpd.ts';
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

/** Routers by name, with the addresses given, on one segment. All is gone after `t`. */
export async function bgpSegment<const N extends string>(
  t: TestContext,
  addresses: Readonly<Record<N, string>>,
): Promise<Readonly<Record<N, Router>>> {
  const folder = mkdtempSync(join(tmpdir(), 'mgy-bgp-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  const segment = await testNetns(t, 'seg');
  await segment.exec('ip', 'link', 'add', 'br0', 'up', 'type', 'bridge');
  const routers: Partial<Record<N, Router>> = {};
  for (const [name, address] of Object.entries<string>(addresses) as [N, string][]) {
    const netns = await testNetns(t, name);
    await netns.exec('ip', 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', name, 'netns', segment.name);
    await segment.exec('ip', 'link', 'set', name, 'master', 'br0', 'up');
    await netns.exec('ip', 'address', 'add', `${address}/24`, 'dev', 'eth0');
    await netns.exec('ip', 'link', 'set', 'eth0', 'up');
    const own = mkdtempSync(join(folder, `${name}-`));
    routers[name] = { name, address: unwrap(parseIp(address)), netns, folder: own };
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
};

/** `program`: another gobgpd than that of the distribution. */
export function startSpeaker(t: TestContext, router: Router, program?: string): Speaker {
  const socketPath = join(router.folder, 'gobgp.sock');
  const { command, args, env } = gobgpdCommand({ socketPath, program, logLevel: 'debug' });
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
  };
}
