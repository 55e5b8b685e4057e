// The objects that the policy commands are about, from manifests. What cannot be used is told and left out, and with it
// nothing else: the API server would not have taken it either.
import type { Command } from 'commander';
import { keyOf, type Resource, type ResourceKey } from '../../datastore/resources/index.ts';
import { isUnknownKind, parseResource } from '../../datastore/resources/parse.ts';
import { problemsOf } from '../../felix/model/feed-policy.ts';
import { unwrap } from '../../lib/result.ts';
import { collect } from '../collect.ts';
import { type FileOptions, readManifests } from '../objects-files.ts';

export type ObjectOptions = FileOptions & { readonly ignoreErrors?: boolean };

/** `failures` are about objects that are refused, `warnings` about what has no part in policy, and parts of
 * policies that are not in force as written. Both are sentences. */
export type PolicyObjects = {
  readonly resources: readonly Resource[];
  readonly failures: readonly string[];
  readonly warnings: readonly string[];
};

/** Adds `-f`, `-R`, `-n` and `--ignore-errors`. */
export function withObjects(command: Command, need: 'required' | 'optional'): Command {
  const [flags, text] = ['-f, --filename <file>', 'file, directory, or - for standard input; may be repeated'] as const;
  if (need === 'required') command.requiredOption(flags, text, collect);
  else command.option(flags, text, collect);
  return command
    .option('-R, --recursive', 'directories below too')
    .option('-n, --namespace <name>', 'namespace of objects that name none')
    .option('--ignore-errors', 'exit with 0 in spite of objects that are refused');
}

/** Reads the manifests; of an object that stands there twice, the later one counts, as with `apply`. */
export function readObjects(options: FileOptions): PolicyObjects {
  const resources = new Map<ResourceKey, Resource>();
  const failures: string[] = [];
  const unknown = new Map<string, number>();
  for (const object of readManifests(options)) {
    if (object.ok) resources.set(keyOf(object.value.resource), object.value.resource);
    else if (isUnknownKind(object.error)) count(unknown, object.error);
    else failures.push(object.error);
  }
  const warnings = [...unknown].map(
    ([kind, times]) => `${kind} is none that policy is read from, and is ignored (${times} ×)`,
  );
  const closed = [...resources.values()].flatMap(problemsOf);
  return { resources: withNamespaces(resources), failures, warnings: [...warnings, ...closed] };
}

/** Writes failures and warnings to stderr, and sets the exit code. */
export function reportObjects({ failures, warnings }: PolicyObjects, { ignoreErrors }: ObjectOptions): void {
  for (const warning of warnings) console.error(`margay: warning: ${warning}`);
  for (const failure of failures) console.error(`margay: ${failure}`);
  if (failures.length > 0 && ignoreErrors !== true) process.exitCode = 1;
}

const count = (unknown: Map<string, number>, error: string): void => {
  const kind = /^Cannot accept kind "([^"]*)"/.exec(error)?.[1] ?? '';
  unknown.set(`Kind "${kind}"`, (unknown.get(`Kind "${kind}"`) ?? 0) + 1);
};

// A pod cannot be without its namespace, so one that nobody wrote down exists with the name as its only label.
function withNamespaces(resources: Map<ResourceKey, Resource>): readonly Resource[] {
  for (const resource of [...resources.values()]) {
    if (resource.kind !== 'Pod') continue;
    const { namespace: name } = resource.metadata;
    if (resources.has(`Namespace/${name}`)) continue;
    const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name } };
    resources.set(`Namespace/${name}`, unwrap(parseResource(namespace)));
  }
  return [...resources.values()];
}
