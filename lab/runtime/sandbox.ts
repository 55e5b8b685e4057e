// The record of a pod's sandbox, written before each step so that a runtime that was killed goes on where it was:
// `made` has a network namespace at most, `wired` has been through CNI ADD, `running` has its process.
import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { labFiles, podFiles } from '../paths.ts';
import { startTimeOf } from '../processes.ts';

export const sandboxSchema = z.object({
  /** 64 hex digits, as containerd makes them. */
  containerId: z.string(),
  namespace: z.string(),
  pod: z.string(),
  uid: z.string(),
  node: z.string(),
  netns: z.string(),
  stage: z.enum(['made', 'wired', 'running']),
  /** What ADD answered; given back to DEL. */
  result: z.unknown(),
  ips: z.array(z.string()),
  /** Duration of ADD. */
  addMs: z.number().exactOptional(),
  process: z.object({ pid: z.int(), startTime: z.string(), restarts: z.int() }).exactOptional(),
});

export type Sandbox = z.output<typeof sandboxSchema>;

export const sandboxKey = ({ namespace, pod }: Sandbox): string => `${namespace}/${pod}`;

/** Whether the pod's process runs. */
export const isAlive = ({ process }: Sandbox): boolean =>
  process !== undefined && startTimeOf(process.pid) === process.startTime;

/** All sandboxes of a lab, sorted by pod. A record that cannot be read is left out. */
export function readSandboxes(lab: string): readonly Sandbox[] {
  const directory = labFiles(lab).pods;
  return readdirSync(directory)
    .filter((name) => name.endsWith('.json'))
    .flatMap((name) => {
      const parsed = sandboxSchema.safeParse(parseJson(readText(join(directory, name))));
      return parsed.success ? [parsed.data] : [];
    })
    .toSorted((a, b) => (sandboxKey(a) < sandboxKey(b) ? -1 : 1));
}

export function writeSandbox(lab: string, sandbox: Sandbox): void {
  const { record } = podFiles(lab, sandbox.containerId);
  writeFileSync(`${record}.new`, JSON.stringify(sandbox), { mode: 0o600 });
  renameSync(`${record}.new`, record);
}

export function removeSandbox(lab: string, { containerId }: Sandbox): void {
  for (const path of Object.values(podFiles(lab, containerId))) rmSync(path, { force: true });
}

// It may be gone between the listing and the reading.
function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
