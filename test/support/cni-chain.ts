// A list of CNI plugins called as a runtime's libcni calls it (CNI SPEC 1.1 §3): the real executables one after the other
// in a node's namespace, each with the result of the one before, and backwards for DEL.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import type { TestNetns } from './netns.ts';

export type CniList = {
  readonly cniVersion: string;
  readonly name: string;
  readonly plugins: readonly {
    readonly type: string;
    readonly capabilities?: Readonly<Record<string, boolean>>;
    readonly [key: string]: unknown;
  }[];
};

export type ChainTarget = {
  readonly containerId: string;
  readonly netns: string;
  /** Of namespace `shop`. */
  readonly pod: string;
  /** What the runtime knows about the container, for the plugins with that capability. */
  readonly runtimeConfig?: Readonly<Record<string, unknown>>;
};

const resultSchema = z.looseObject({
  cniVersion: z.string(),
  interfaces: z.array(z.looseObject({ name: z.string() })),
  ips: z.array(z.looseObject({ address: z.string(), interface: z.number() })),
  routes: z.array(z.looseObject({ dst: z.string() })),
});
export type ChainResult = z.infer<typeof resultSchema>;

export type CniChain = {
  /** What each plugin answers, in order. @throws Error with the answer of the first that fails */
  readonly add: (target: ChainTarget) => Promise<readonly ChainResult[]>;
  /** @throws Error with the answer of the first that fails */
  readonly check: (target: ChainTarget, prevResult: ChainResult) => Promise<void>;
  /** Returns the types in the order in which they were called. @throws Error as soon as one fails */
  readonly del: (target: ChainTarget, prevResult?: ChainResult) => Promise<readonly string[]>;
};

/** `path`: where the plugins find the programs that they run. */
export function cniChain(
  netns: TestNetns,
  list: CniList,
  { binDirectories, path }: { readonly binDirectories: readonly string[]; readonly path: string },
): CniChain {
  const call = async (command: string, n: number, target: ChainTarget, prevResult?: ChainResult): Promise<string> => {
    const plugin = list.plugins[n] ?? assert.fail(`no plugin ${n}`);
    const { capabilities = {}, type } = plugin;
    const known = Object.entries(target.runtimeConfig ?? {}).filter(([name]) => capabilities[name] === true);
    const config = {
      ...plugin,
      cniVersion: list.cniVersion,
      name: list.name,
      ...(known.length === 0 ? {} : { runtimeConfig: Object.fromEntries(known) }),
      ...(prevResult === undefined ? {} : { prevResult }),
    };
    const program = binDirectories.map((folder) => join(folder, type)).find((candidate) => existsSync(candidate));
    const child = netns.spawn('env', [`PATH=${path}`, program ?? assert.fail(`no plugin ${type}`)], {
      env: {
        CNI_COMMAND: command,
        CNI_CONTAINERID: target.containerId,
        CNI_NETNS: target.netns,
        CNI_IFNAME: 'eth0',
        CNI_ARGS: `IgnoreUnknown=1;K8S_POD_NAMESPACE=shop;K8S_POD_NAME=${target.pod}`,
        CNI_PATH: binDirectories.join(':'),
        PATH: process.env['PATH'],
      },
      stdio: ['pipe', 'pipe', 'inherit'],
      timeout: 60_000,
    });
    // A plugin may answer before it has read all of it.
    child.stdin?.on('error', () => undefined);
    child.stdin?.end(JSON.stringify(config));
    let stdout = '';
    child.stdout?.on('data', (chunk: Buffer) => {
      stdout += chunk.toString();
    });
    const [exitCode] = await once(child, 'close');
    if (exitCode !== 0) throw new Error(`${command} of ${type} failed: ${stdout}`);
    return stdout;
  };
  const indices = [...list.plugins.keys()];
  return {
    add: async (target) => {
      const results: ChainResult[] = [];
      for (const n of indices)
        results.push(resultSchema.parse(JSON.parse(await call('ADD', n, target, results.at(-1)))));
      return results;
    },
    check: async (target, prevResult) => {
      for (const n of indices) assert.equal(await call('CHECK', n, target, prevResult), '');
    },
    del: async (target, prevResult) => {
      for (const n of indices.toReversed()) assert.equal(await call('DEL', n, target, prevResult), '');
      return list.plugins.map(({ type }) => type).toReversed();
    },
  };
}
