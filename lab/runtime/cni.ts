// Calling the CNI executable as containerd does: in the node's network namespace, with the CNI variables, and the
// network configuration that libcni makes of the node's list on standard input (CNI SPEC 1.1 section 2).
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { inside, runAny } from '../exec.ts';
import { CNI_BIN_DIRECTORY, netnsPath, nodeFiles, nodeNetns } from '../paths.ts';
import type { Sandbox } from './sandbox.ts';

const conflistSchema = z.object({
  cniVersion: z.string(),
  name: z.string(),
  plugins: z.array(z.looseObject({ type: z.string() })).min(1),
});

const resultSchema = z.looseObject({ ips: z.array(z.looseObject({ address: z.string() })).exactOptional() });
const errorSchema = z.looseObject({ code: z.int(), msg: z.string(), details: z.string().exactOptional() });

export type CniOutcome =
  | { readonly kind: 'ok'; readonly ms: number; readonly result: unknown; readonly ips: readonly string[] }
  | { readonly kind: 'failed'; readonly ms: number; readonly code: number | undefined; readonly message: string };

export type CniCommand = 'ADD' | 'DEL' | 'CHECK';

/** Calls every plugin of the node's list: one here, and nothing in the lab has more. */
export async function callCni(lab: string, command: CniCommand, sandbox: Sandbox): Promise<CniOutcome> {
  const { conflist } = nodeFiles(lab, sandbox.node);
  const { cniVersion, name, plugins } = conflistSchema.parse(JSON.parse(readFileSync(conflist, 'utf8')));
  const [plugin] = plugins;
  const previous = command === 'ADD' || sandbox.result === undefined ? {} : { prevResult: sandbox.result };
  const start = performance.now();
  const { exitCode, stdout, stderr } = await runAny(
    lab,
    inside(nodeNetns(lab, sandbox.node), [join(CNI_BIN_DIRECTORY, plugin?.type ?? '')]),
    {
      input: JSON.stringify({ ...plugin, name, cniVersion, ...previous }),
      env: cniEnvironment(command, sandbox),
      timeoutMs: 90_000,
    },
  );
  const ms = performance.now() - start;
  if (exitCode !== 0) {
    const error = errorSchema.safeParse(parseJson(stdout));
    return {
      kind: 'failed',
      ms,
      code: error.data?.code,
      message: error.success
        ? [error.data.msg, error.data.details].filter((text) => text).join(': ')
        : `exit code ${exitCode}: ${stderr.trim() || stdout.trim()}`,
    };
  }
  const result = stdout.trim() === '' ? undefined : parseJson(stdout);
  const ips = resultSchema.safeParse(result).data?.ips ?? [];
  return { kind: 'ok', ms, result, ips: ips.map(({ address }) => address.replace(/\/.*$/, '')) };
}

/** The variables of the CNI protocol, with the arguments that Kubernetes runtimes give. */
export function cniEnvironment(command: CniCommand, sandbox: Sandbox): Readonly<Record<string, string>> {
  const args = [
    'IgnoreUnknown=1',
    `K8S_POD_NAMESPACE=${sandbox.namespace}`,
    `K8S_POD_NAME=${sandbox.pod}`,
    `K8S_POD_INFRA_CONTAINER_ID=${sandbox.containerId}`,
    `K8S_POD_UID=${sandbox.uid}`,
  ];
  return {
    CNI_COMMAND: command,
    CNI_CONTAINERID: sandbox.containerId,
    CNI_NETNS: netnsPath(sandbox.netns),
    CNI_IFNAME: 'eth0',
    CNI_ARGS: args.join(';'),
    CNI_PATH: CNI_BIN_DIRECTORY,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
