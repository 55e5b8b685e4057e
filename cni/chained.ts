// The plugins of others that stand behind ours in the installed list. A list that names one which the runtime does not
// find is worse than none: the node looks ready and every pod fails. So they are looked for, where the runtime will look.
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { supportedVersions } from './ask-plugin.ts';

type Known = {
  readonly name: string;
  /** Its place in the list; absent: the runtime calls it by itself. */
  readonly entry?: { readonly type: string; readonly [key: string]: unknown };
  readonly without: string;
};

/** In the order of the list. */
const KNOWN = [
  {
    name: 'portmap',
    entry: { type: 'portmap', capabilities: { portMappings: true }, snat: true },
    without: 'hostPort of pods has no effect',
  },
  {
    name: 'bandwidth',
    entry: { type: 'bandwidth', capabilities: { bandwidth: true } },
    without: 'kubernetes.io/ingress-bandwidth and kubernetes.io/egress-bandwidth of pods have no effect',
  },
  { name: 'loopback', without: 'containerd starts no pod at all' },
] as const satisfies readonly Known[];

export type ChainedName = (typeof KNOWN)[number]['name'];
export const CHAINED_NAMES: readonly ChainedName[] = KNOWN.map(({ name }) => name);

export type Chained = {
  readonly entries: readonly { readonly type: string }[];
  /** What each entry's program answers to VERSION, by type. */
  readonly versions: ReadonlyMap<string, readonly string[]>;
  /** What is missing, what that means and how to get it. */
  readonly warnings: readonly string[];
};

/** @throws Error when one of `required` is missing, or one that is there cannot be run */
export function findChained(binDirectories: readonly string[], required: readonly ChainedName[]): Chained {
  const folders = binDirectories.map((folder) => `"${folder}"`).join(' or ');
  const entries: { readonly type: string }[] = [];
  const versions = new Map<string, readonly string[]>();
  const warnings: string[] = [];
  for (const { name, without, ...known } of KNOWN) {
    const program = binDirectories.map((folder) => join(folder, name)).find(isFile);
    if (program === undefined) {
      const missing = `plugin "${name}" is not in ${folders}`;
      if (required.includes(name)) throw new Error(`Cannot install the network configuration: ${missing}. ${HOW}`);
      warnings.push(`${missing}: ${without}. ${HOW}`);
    } else if ('entry' in known) {
      versions.set(name, supportedVersions(program));
      entries.push(known.entry);
    }
  }
  return { entries, versions, warnings };
}

const HOW =
  'Install the CNI reference plugins there; those of Debian (containernetworking-plugins) are in /usr/lib/cni, ' +
  'where its containerd looks: --bin-dir names the folders of the runtime';

/** As the runtime has it (libcni follows links and asks for nothing else). */
const isFile = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isFile() === true;
