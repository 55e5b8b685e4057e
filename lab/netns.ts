// Named network namespaces of a lab. They are made and entered by `ip` and `nsenter`, and nothing is ever changed in the
// namespace that the lab's commands run in.
import { existsSync, readdirSync } from 'node:fs';
import { inside, run, runAny } from './exec.ts';
import { netnsPath, netnsPrefix } from './paths.ts';

/** All namespaces of a lab that are there, also half-made ones. */
export function labNetns(lab: string): readonly string[] {
  if (!existsSync('/run/netns')) return [];
  return readdirSync('/run/netns').filter((name) => name.startsWith(netnsPrefix(lab)));
}

export const netnsExists = (netns: string): boolean => existsSync(netnsPath(netns));

/** Makes namespaces, each with `lo` up. */
export async function addNetns(lab: string, names: readonly string[]): Promise<void> {
  await ipBatch(
    lab,
    undefined,
    names.map((name) => `netns add ${name}`),
  );
  await Promise.all(names.map((name) => ipBatch(lab, name, ['link set lo up'])));
}

/** Removes namespaces that no process is in any more; absent ones are no error. */
export async function deleteNetns(lab: string, names: readonly string[]): Promise<void> {
  for (const name of names) {
    if (!netnsExists(name)) continue;
    const { exitCode, stderr } = await runAny(lab, ['ip', 'netns', 'del', name]);
    if (exitCode !== 0 && netnsExists(name)) {
      throw new Error(`Cannot remove network namespace "${name}": ${stderr.trim()}`);
    }
  }
}

/** Runs `ip` commands in a namespace by one process; without namespace only `netns` commands may be given. */
export async function ipBatch(lab: string, netns: string | undefined, lines: readonly string[]): Promise<void> {
  if (lines.length === 0) return;
  const command = netns === undefined ? ['ip', '-batch', '-'] : ['ip', '-n', netns, '-batch', '-'];
  await run(lab, command as [string, ...string[]], { input: `${lines.join('\n')}\n` });
}

/** Sets `/proc/sys/net` keys (`ipv4/ip_forward`) of a namespace to one value. */
export async function setSysctls(lab: string, netns: string, keys: readonly string[], value: string): Promise<void> {
  await run(lab, inside(netns, ['tee', ...keys.map((key) => `/proc/sys/net/${key}`)]), { input: value });
}

/** The routes of a namespace's main table, as `ip -j route` prints them. */
export async function ipJson(lab: string, netns: string, args: readonly string[]): Promise<unknown> {
  const text = await run(lab, ['ip', '-n', netns, '-j', ...args]);
  return JSON.parse(text.trim() === '' ? '[]' : text);
}
